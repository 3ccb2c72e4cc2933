"""People's own losses and activations, checked in their own tests (docs/check.md)."""
