"""The paper's networks.

`spec`, `names`, `cifar`, `imagenet`, `dense` and `operators` say what a net is, without torch. `build` turns a spec into an
`nn.Module` (`blocks`, `resnet`, `vgg`, `norm`), `fold` puts BN into the convolutions, `trace` follows shapes, and `weights`
exchanges weights with other programs.
"""
