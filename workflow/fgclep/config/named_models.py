"""Models that the config names: the one that comes with the package, a folder, or a Hugging Face name."""

import hashlib
from pathlib import Path

from fgclep.digest import file_digest
from fgclep.errors import UserError

SHIPPED, SHIPPED_MODEL = "shipped", Path(__file__).resolve().parents[1] / "pretrained"
WEIGHTS = ("config.json", "model.safetensors", "tokenizer.json")  # files that decide what it scores


def folder_of(name: str) -> str:
    """Return where a named model lies: a folder, or a Hugging Face name as it is."""
    return str(SHIPPED_MODEL) if name == SHIPPED else name


def check_model_folder(folder: str | Path) -> None:
    """Raise ``UserError`` if a folder holds no model."""
    if not (Path(folder) / "config.json").is_file():
        raise UserError(f"{folder} holds no model; run `snakemake --cores all` first, or give --model FOLDER")


def model_digest(name: str) -> str:
    """Hash the files of a model by which it scores, so that Snakemake sees another one in the same folder.

    Returns 12 hexadecimal digits, or the name of a model that is in no folder here.
    """
    folder = Path(folder_of(name))
    if not folder.is_dir():
        return name
    digest = hashlib.sha256()
    for path in (folder / file for file in WEIGHTS):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()[:12]


def encoder_digest(name: str) -> str | None:
    """Hash the files of a text encoder that the config names by a folder; ``None`` for a Hugging Face name.

    It may be of any library's making, so all files count by which a tokenizer or weights can be saved. Returns 12
    hexadecimal digits.
    """
    folder = Path(name)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".json", ".safetensors", ".txt", ".model"} and path.is_file():
            digest.update(f"{path.name} {file_digest(path)}".encode())
    return digest.hexdigest()[:12]


def made_by_this_run(name: str) -> bool:
    """Whether a name, however it is written, is a model that the run itself makes, and so cannot begin with."""
    made = (Path("results", *below).resolve() for below in (("models",), ("ablation",)))
    return any(Path(name).resolve().is_relative_to(folder) for folder in made)
