"""The siamese encoder and its training wrapper (article, part 2)."""

from torch import Tensor, nn

from catalog_ai.models.backbone import MobileNetBackbone


class SiameseEncoder(nn.Module):
    """[B, 3, 64, 64] float, -1..1 → [B, 64] float: the backbone's features, averaged over space.

    Adds no parameter of its own. The backbone is used in place: training the encoder trains it.
    """

    def __init__(self, backbone: MobileNetBackbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.representation = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 64, 64] float → [B, 64] float, ≥ 0, not normalised."""
        embedding: Tensor = self.representation(self.backbone(x))
        return embedding


class SiameseNetwork(nn.Module):
    """Three photos through one encoder with shared weights."""

    def __init__(self, embedding_network: SiameseEncoder) -> None:
        super().__init__()
        self.embedding_network = embedding_network

    def forward(
        self, anchor: Tensor, positive: Tensor, negative: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Three [B, 3, 64, 64] batches → three [B, 64] embeddings."""
        return (
            self.embedding_network(anchor),
            self.embedding_network(positive),
            self.embedding_network(negative),
        )

    def get_embedding(self, image: Tensor) -> Tensor:
        """[B, 3, 64, 64] float → [B, 64] float."""
        embedding: Tensor = self.embedding_network(image)
        return embedding
