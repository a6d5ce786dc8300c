"""How a delivery is read: entries on disk, rows of a manifest, and the products they make."""
