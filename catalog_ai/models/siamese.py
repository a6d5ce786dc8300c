"""The siamese encoder and its training wrapper (article, part 2), and both heads in one pass."""

from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.models.backbone import Backbone
from catalog_ai.models.classifier import MobileNetLikeClassifier


class SiameseEncoder(nn.Module):
    """[B, 3, 64, 64] float, -1..1 → [B, 64] float: the backbone's features, averaged over space.

    Adds no parameter of its own, unless `embedding` (`models.embedding`) makes the vector of the
    averaged features. The backbone is used in place: training the encoder trains it.
    """

    def __init__(self, backbone: Backbone, embedding: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.representation = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
        if embedding is not None:
            self.representation.append(embedding)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 64, 64] float → [B, 64] float, not normalised."""
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


class TwoHeads(nn.Module):
    """Logits, unit vectors and features of a batch; one pass where both heads share a backbone."""

    def __init__(self, classifier: MobileNetLikeClassifier, encoder: SiameseEncoder) -> None:
        super().__init__()
        self.classifier = classifier
        self.encoder = encoder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, S, S] float → ([B, C] logits, [B, D] of unit length, [B, F] features), float.

        The features are what the vector is made of: the backbone's, averaged over space.
        """
        features = self.classifier.backbone(images)
        logits = self.classifier.head(features)
        if self.encoder.backbone is not self.classifier.backbone:
            features = self.encoder.backbone(images)
        vectors = functional.normalize(self.encoder.representation(features), dim=1)
        return logits, vectors, features.mean((2, 3))
