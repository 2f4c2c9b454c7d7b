"""Compiled programs as files: one safetensors file with the program as JSON; no pickle.

The header's metadata holds `format`, `version`, `program` (JSON: modules with their plain
attributes, and the names of their buffers) and `sha256` over that text and all tensor bytes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sparsegnn._csr_checks import check_pattern
from sparsegnn.compiler import (
    channel_steps,
    feature_steps,
    graph_steps,
    linear_steps,
    power_step,
    row_steps,
    steps,
    topk_steps,
)
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue, Function
from sparsegnn.compiler.features import FeatureInput
from sparsegnn.compiler.program import Instruction, Program
from sparsegnn.compiler.report import Report
from sparsegnn.data.files import write_atomic

FORMAT = "sparsegnn-program"
VERSION = "2"
_KINDS: dict[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (
        steps.Spmm,
        feature_steps.SparseFeatures,
        feature_steps.SparseProduct,
        feature_steps.FusedHidden,
        linear_steps.DenseLinear,
        linear_steps.CsrLinear,
        linear_steps.BlockLinear,
        linear_steps.NarrowLinear,
        channel_steps.Take,
        channel_steps.Place,
        graph_steps.Attention,
        graph_steps.AttentionV2,
        graph_steps.ExtremeMessage,
        graph_steps.SoftmaxAggregation,
        row_steps.Elementwise,
        row_steps.Concatenate,
        row_steps.MeanOfHeads,
        row_steps.TakeNodes,
        power_step.Powers,
        topk_steps.Largest,
        topk_steps.LargestAlone,
        topk_steps.RowsLinear,
        topk_steps.SpmmOfRows,
        CsrMatrix,
        Epilogue,
        FeatureInput,
        Program,
    )
}
_REPORT = TypeAdapter(Report)


class ProgramError(ValueError):
    """A file is no compiled program, is damaged, or a program cannot be stored."""


def save_program(path: Path, program: nn.Module, report: Report) -> None:
    """Writes a program through a temporary file.

    Raises:
        OSError: The file could not be written; an older one at `path` is untouched.
        ProgramError: The program holds a module that the compiler does not know.
    """
    tensors: dict[str, Tensor] = {}
    modules: list[Any] = []
    _encode(program, tensors, modules, {})
    document = json.dumps({"modules": modules, "report": report.to_json()})
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "program": document,
        "sha256": _digest(document, tensors),
    }
    content = save(tensors, metadata)
    write_atomic(path, lambda stream: stream.write(content))


def load_program(path: Path) -> tuple[Program, Report]:
    """Reads a program; nothing in the file is executed.

    Raises:
        OSError: The file cannot be read.
        ProgramError: It is no program, of another version, or damaged.
    """
    metadata, tensors = _read(path)
    if metadata.get("format") != FORMAT:
        raise ProgramError(f"{path} must be a compiled program, got another kind of file")
    if metadata.get("version") != VERSION:
        raise ProgramError(
            f"{path} must have version {VERSION}, got {metadata.get('version')}: compile it again"
        )
    document = metadata.get("program", "")
    if metadata.get("sha256") != _digest(document, tensors):
        raise ProgramError(f"{path} is damaged: its content does not fit its checksum")
    content = json.loads(document)
    built: list[nn.Module] = []
    for entry in content["modules"]:
        built.append(_decode(entry, tensors, built))
    program = built[-1]
    assert isinstance(program, Program)
    for module in program.modules():
        if isinstance(module, CsrMatrix):
            _check_matrix(module)
    program._bind()
    return program, _REPORT.validate_python(content["report"])


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ProgramError(f"{path} must be a compiled program, got a broken file") from error


def _digest(document: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(document.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _encode(
    module: nn.Module, tensors: dict[str, Tensor], modules: list[Any], known: dict[int, int]
) -> int:
    """Appends a module after its children; a module in two places is stored once."""
    if id(module) in known:
        return known[id(module)]
    kind = type(module).__name__
    lists = isinstance(module, nn.ModuleList)
    if not lists and type(module) is not _KINDS.get(kind):
        name = module.label if isinstance(module, row_steps.Call) else kind
        raise ProgramError(
            f"a program with {name!r} cannot be stored, as the compiler does not know that module"
        )
    children = {
        name: None if child is None else _encode(child, tensors, modules, known)
        for name, child in module._modules.items()
    }
    buffers: dict[str, Any] = {}
    for name, buffer in module._buffers.items():
        buffers[name] = None
        if buffer is not None:
            buffers[name] = f"{len(modules)}.{name}"
            tensors[buffers[name]] = buffer.detach().to("cpu", copy=True).contiguous()
    modules.append(
        {
            "kind": "ModuleList" if lists else kind,
            "attributes": {} if lists else _attributes(module),
            "buffers": buffers,
            "temporary": sorted(module._non_persistent_buffers_set),
            "children": children,
        }
    )
    known[id(module)] = len(modules) - 1
    return known[id(module)]


def _attributes(module: nn.Module) -> dict[str, Any]:
    own = {k: v for k, v in vars(module).items() if not k.startswith("_") and k != "training"}
    if isinstance(module, Program):
        own["_num_slots"] = module._num_slots
    return {name: _to_json(value) for name, value in own.items()}


def _decode(entry: Any, tensors: dict[str, Tensor], built: list[nn.Module]) -> nn.Module:
    children = {n: None if i is None else built[i] for n, i in entry["children"].items()}
    if entry["kind"] == "ModuleList":
        return nn.ModuleList([child for child in children.values() if child is not None])
    kind = _KINDS[entry["kind"]]
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    for name, value in entry["attributes"].items():
        setattr(module, name, _from_json(value))
    for name, key in entry["buffers"].items():
        persistent = name not in entry["temporary"]
        module.register_buffer(name, None if key is None else tensors[key], persistent)
    for name, child in children.items():
        module.register_module(name, child)
    return module


def _to_json(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, Function):
        return {"function": [value.name, dict(value.options)]}
    if isinstance(value, Instruction):
        return {"instruction": [value.reads, value.writes, value.frees]}
    if isinstance(value, tuple):
        return {"tuple": [_to_json(item) for item in value]}
    return value


def _from_json(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dtype":
        return getattr(torch, content)
    if kind == "function":
        return Function(content[0], tuple(sorted(content[1].items())))
    if kind == "instruction":
        reads, writes, frees = content
        return Instruction(tuple(reads), writes, tuple(frees))
    return tuple(_from_json(item) for item in content)


def _check_matrix(matrix: CsrMatrix) -> None:
    columns = torch.zeros_like(matrix.column_shape)
    try:
        check_pattern(matrix.rowptr, matrix.col, columns, "rowptr", "col", "columns")
    except ValueError as error:
        raise ProgramError(f"the program is damaged: {error}") from error
