"""The paper's networks: `spec` and `layers` say what a net is, without torch; `resnet` builds it."""
