"""``python -m kafkawire list`` prints the APIs; ``show offset_commit 8`` the code that reads and writes one version."""

from __future__ import annotations

import sys

from kafkawire.keys import API, request_class, response_class

USAGE = "usage: python -m kafkawire list | show API [VERSION]    (without a version: the newest)"


def list_apis() -> str:
    lines = []
    for api in API.values():
        flexible = "never" if api.flexible_since is None else f"{api.flexible_since}+"
        unstable = "  newest is unstable" if api.unstable_latest else ""
        versions = f"{api.min_version}-{api.max_version}"
        lines.append(f"{api.key:>3}  {api.name:<28} {versions:<6} flexible {flexible}{unstable}".rstrip())
    return "\n".join(lines)


def show(module: str, version: int | None) -> str:
    """The generated source of an API's request and response, decoders and encoders."""
    from kafkawire.compiler.decoder import write_decoder
    from kafkawire.compiler.encoder import write_encoder

    found = next((api for api in API.values() if module in (api.module, api.name)), None)
    if found is None:
        raise SystemExit(f"no API is called {module!r}; python -m kafkawire list prints them")
    wanted = found.max_version if version is None else version
    if not found.min_version <= wanted <= found.max_version:
        raise SystemExit(f"{found.name} has versions {found.min_version} to {found.max_version}")
    sources = [
        write(cls, wanted)
        for cls in (request_class(found.key), response_class(found.key))
        for write in (write_decoder, write_encoder)
    ]
    return "\n".join(f"# {source.title}\n{source.text}" for source in sources)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["list"]:
            print(list_apis())
        case ["show", module]:
            print(show(module, None))
        case ["show", module, version] if version.isdecimal():
            print(show(module, int(version)))
        case _:
            raise SystemExit(USAGE)


if __name__ == "__main__":
    main(sys.argv[1:])
