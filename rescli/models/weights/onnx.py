"""ONNX, for runtimes without PyTorch. The file is run once beside the network before anyone gets it."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from rescli.errors import RescliError
from rescli.models.weights.bundle import Bundle
from rescli.models.weights.metadata import to_text
from rescli.models.weights.read import module_of

TOLERANCE = 1e-4  # of the logits, relative to the largest


def onnx_bytes(bundle: Bundle) -> bytes:
    """The network as one ONNX file: input "images" [N, 3, H, W], normalized; output "logits" [N, classes].

    Raises `RescliError` where the extra is not installed, and where onnxruntime's logits are not the network's.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch.onnx needs it
    except ImportError as error:
        raise RescliError(
            f"ONNX needs a package that is not here: {error.name}", "pip install 'rescli[onnx]'"
        ) from error
    net = module_of(bundle)
    size = bundle.spec.input_size
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        with warnings.catch_warnings():  # the exporter of some versions meets deprecations of PyTorch's own
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                net,
                (images,),
                path,
                input_names=["images"],
                output_names=["logits"],
                dynamo=True,
                external_data=False,
                dynamic_shapes={"x": {0: torch.export.Dim("batch")}},
                verbose=False,
            )
        model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = "rescli", to_text(bundle)
    data: bytes = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"images": images.numpy()})[0]
    with torch.no_grad():
        ours = net(images).numpy()
    off = float(np.abs(ours - theirs).max() / max(1.0, float(np.abs(ours).max())))
    if not off <= TOLERANCE:
        raise RescliError(f"the ONNX file gives other logits: off by {off:.1e}", "Nothing was written.")
    return data
