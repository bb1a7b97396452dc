"""The shards described in Croissant 1.0, the metadata of ML Commons for datasets: files, columns, sources, licences."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from fgclep.fetch.lists import sha256_of
from fgclep.leads import LEADS
from fgclep.schemas.shards import SHARD
from fgclep.sources import get_source
from fgclep.tables import check_table

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
PARQUET = "application/x-parquet"
_TERMS = (
    "citeAs", "column", "extract", "field", "fileObject", "fileProperty", "fileSet", "format", "includes",
    "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {  # as the specification gives it
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
_OF_LEADS = f"of the leads {', '.join(LEADS)}, in this order"
MEANINGS = {
    "source": "Key of the database.",
    "record_id": "Id of the recording in its database.",
    "patient_id": "Id of the patient in the database; of one that does not know its patients the id of the recording.",
    "split": "train, val or test; all recordings of a patient are in one.",
    "age": "Years; 90 stands for 90 and older, null for an unknown age.",
    "sex": "F or M; null: unknown.",
    "codes": "SCP statements or SNOMED-CT codes of the recording.",
    "sampling_rate": "Hz.",
    "n_samples": "Samples of each lead.",
    "gain": f"ADC units per mV {_OF_LEADS}: mV = (waveform - baseline) / gain.",
    "baseline": f"ADC units {_OF_LEADS}.",
    "waveform": f"16-bit samples in ADC units {_OF_LEADS}, packed; fgclep.signals.encoding unpacks them.",
    "flags": "Remarks on the quality of the recording, which do not exclude it.",
}


def croissant(folder: Path, shards: Sequence[Path], simulated: Collection[str]) -> str:
    """Describe shards.

    Parameters
    ----------
    folder
        Where the description will lie; the addresses of the files are relative to it.
    shards
        Parquet files below it, ``<source>/<chunk>.parquet``, of the schema ``SHARD``.
    simulated
        Keys of the sources whose recordings are simulated, which have no licence of the database.

    Returns
    -------
    JSON-LD, with the SHA-256 and size of every file.
    """
    sources = list(dict.fromkeys(path.parent.name for path in shards))
    licenses = [get_source(key).license for key in sources if key not in simulated]
    files = [_file(folder, path) for path in shards]
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "fg-clep-shards",
        "description": "12-lead ECGs as the fg-clep workflow stores them: checked, repaired, one row each. "
        + " ".join(f"{key}: {_origin(key, key in simulated)}." for key in sources),
        "conformsTo": CONFORMS_TO,
        "isBasedOn": [address for key in sources if key not in simulated and (address := _address(key))],
        "license": list(dict.fromkeys(filter(None, licenses))),
        "distribution": files + [_files(key, files) for key in sources],
        "recordSet": [_record_set(key) for key in sources],
    }
    return json.dumps({key: value for key, value in document.items() if value}, indent=2) + "\n"


def _address(key: str) -> str | None:
    source = get_source(key)
    return f"https://physionet.org/content/{source.slug}/{source.version}/" if source.slug and source.version else None


def _origin(key: str, simulated: bool) -> str:
    source = get_source(key)
    if simulated:
        return "simulated, no patient's"
    return f"{_address(key) or 'recordings of a folder of your own'}, licence {source.license or 'not known'}"


def _file(folder: Path, path: Path) -> dict[str, object]:
    check_table(path, SHARD)
    place = path.relative_to(folder).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": place,
        "name": place,
        "contentUrl": place,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": PARQUET,
        "sha256": sha256_of(path),
    }


def _files(key: str, files: Sequence[dict[str, object]]) -> dict[str, object]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{key}-shards",
        "name": f"{key}-shards",
        "description": f"All shards of {key}.",
        "encodingFormat": PARQUET,
        "includes": [file["contentUrl"] for file in files if str(file["contentUrl"]).startswith(f"{key}/")],
    }


def _record_set(key: str) -> dict[str, object]:
    return {
        "@type": "cr:RecordSet",
        "@id": key,
        "name": key,
        "description": f"The recordings of {key}, one each.",
        "key": {"@id": f"{key}/record_id"},
        "field": [_field(key, column) for column in SHARD],
    }


def _field(key: str, column: pa.Field) -> dict[str, object]:
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
    kind = kind.value_type if is_list else kind
    name = "sc:Integer" if pa.types.is_integer(kind) else "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
    field: dict[str, object] = {
        "@type": "cr:Field",
        "@id": f"{key}/{column.name}",
        "name": column.name,
        "description": MEANINGS[column.name],
        "dataType": name,
        "source": {"fileSet": {"@id": f"{key}-shards"}, "extract": {"column": column.name}},
    }
    return field | ({"repeated": True} if is_list else {})
