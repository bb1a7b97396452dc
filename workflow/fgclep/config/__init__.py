"""The config: one pydantic section per file; ``config.yaml``, its schema and its reference are generated from them."""

from fgclep.config.load import load, validate_config
from fgclep.config.root import Config

__all__ = ["Config", "load", "validate_config"]
