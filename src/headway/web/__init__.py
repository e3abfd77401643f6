"""The page: a server whose every answer is a verb's own `--json` and whose every chart is its own `-o` (the ``[web]`` extra)."""

from headway.web.limits import Limits

__all__ = ["Limits"]
