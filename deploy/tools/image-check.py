#!/usr/bin/env python3
"""Checks the image of a service whose binary `make image` has left in target/image: `make image-check SERVICE=…`.

Builds it twice from copies of different age and compares the digests, runs it as the user that it names, looks for what
that user could change, and tells the size. Needs buildah and Python 3.9; no registry, as the base is an empty one.
"""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
USER = 65532
# Not large enough for a debugger's symbols, or a second C library.
MOST_BYTES = 64 << 20


def main(service):
    if shutil.which("buildah") is None:
        sys.exit("image-check: there is no buildah here (Debian and Fedora have a package of that name); nothing was checked")
    binary = ROOT / "target/image" / service
    if not binary.is_file():
        sys.exit(f"image-check: {binary.relative_to(ROOT)} is not there; `make image SERVICE={service}` makes it")
    with tempfile.TemporaryDirectory() as folder:
        builds = [build(service, binary, pathlib.Path(folder) / str(age), age) for age in (1, 2)]
        (first, digest), (_, again) = builds
        check("two builds have the same digest", digest == again, digest if digest == again else f"{digest} and {again}")
        container = first("from", "--pull-never", service)
        user = first("inspect", "--format", "{{.OCIv1.Config.User}}", container)
        check("it runs as nobody in particular", user == f"{USER}:{USER}", user)
        for option in ("--version", "--help"):
            shown = first("run", "--isolation", "chroot", container, "--", "/service", option)
            check(f"{option} says", service in shown, shown.splitlines()[0])
        root = pathlib.Path(first("mount", container))
        loose = sorted(str(path.relative_to(root)) for path in root.rglob("*") if changeable(path))
        check("its user can change nothing in it", not loose, ", ".join(loose) or "fit for a read-only root")
        size = sum(path.lstat().st_size for path in root.rglob("*"))
        check("it is small", size <= MOST_BYTES, f"{size / 1e6:.1f} MB besides the base")
        first("umount", container)
        first("rm", container)


def build(service, binary, folder, age):
    """An image in a store of its own; how to call buildah for it, and its digest."""
    context = folder / "context"
    context.mkdir(parents=True)
    shutil.copy(binary, context)
    # As if it had been built at another time.
    os.utime(context / service, (age, age))

    def buildah(*arguments):
        command = ["buildah", "--storage-driver", "vfs", "--root", folder / "root", "--runroot", folder / "run"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)
        if done.returncode:
            sys.exit(f"image-check: buildah {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    buildah("bud", "--isolation", "chroot", "--timestamp", "0", "--build-arg", "BASE=scratch",
            "--build-arg", f"SERVICE={service}", "--tag", service, "--file", ROOT / "deploy/Dockerfile", context)
    return buildah, buildah("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", service)


def changeable(path):
    """Whether the image's user may write to it."""
    about = path.lstat()
    if stat.S_ISLNK(about.st_mode):
        return False
    return bool(about.st_uid == USER or about.st_gid == USER and about.st_mode & stat.S_IWGRP
                or about.st_mode & stat.S_IWOTH and not about.st_mode & stat.S_ISVTX)


def check(what, met, details):
    print(f"{'ok    ' if met else 'FAILED'}  {what}: {details}")
    if not met:
        sys.exit(1)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("image-check: which service?")
    main(sys.argv[1])
