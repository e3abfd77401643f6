"""Bundle Vega, Vega-Lite and vega-embed into one module for the page (``make vega``), as the vl-convert that draws the charts has them."""

from __future__ import annotations

from pathlib import Path

import vl_convert as vlc
from zopfli import zopfli

PAGE = Path(__file__).parent.parent / "src" / "headway" / "web" / "page"


def main() -> None:
    """Write the module, packed: that is how it is served."""
    code = vlc.javascript_bundle()
    said = f"Vega {vlc.get_vega_version()}, vega-embed {vlc.get_vega_embed_version()}, Vega-Lite as of vl-convert {vlc.__version__}"
    head = f"// {said}: BSD-3-Clause, see LICENSE-vega.txt. Made by `make vega`.\n"
    packed = zopfli.compress((head + code).encode("utf-8"), numiterations=15, gzip_mode=1)  # gzip, 4 % smaller
    (PAGE / "vega.js.gz").write_bytes(packed)
    print(f"{said}: {len(packed) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
