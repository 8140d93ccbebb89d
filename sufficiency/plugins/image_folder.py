"""Folders of images, one a class, as people have them: nested, of any suffix, with other systems' junk among them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from sufficiency.data.arrays import ArrayDataset
from sufficiency.data.description import Description, Remark
from sufficiency.data.errors import DatasetError
from sufficiency.data.images import Background, Decoder
from sufficiency.data.labels import told_apart
from sufficiency.data.paths import resolve_inside
from sufficiency.data.rows import select
from sufficiency.plugins.datasets import Limit, Start

# Systems and programs leave these beside images; a dot before a name hides it, and macOS's shadows begin with "._".
_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
# Pillow knows these too, but they hold no picture, or it needs a program or another package to draw them.
_NO_PICTURES = {".bufr", ".emf", ".eps", ".grib", ".h5", ".hdf", ".iim", ".mpeg", ".mpg", ".pcd", ".ps", ".wmf"}
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev", "holdout"}
_MOST_NAMED = 5


@dataclass
class _Found:
    """Files below a folder: images, and how many of what else."""

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    junk: int = 0


def load_image_folder(
    path: str,
    size: Annotated[int, Field(ge=1, le=1024)] = 32,
    grayscale: bool = False,
    classes: list[str] | None = None,
    group_before: Annotated[str | None, Field(min_length=1)] = None,
    background: Background = "white",
    start: Start = 0,
    limit: Limit = None,
) -> ArrayDataset:
    """Load images from one folder a class: ``path/CLASS/*.png``, at any depth, in any format that Pillow reads.

    Hidden files and what other systems leave behind are passed over; whatever else is no image is counted in a warning.

    Parameters
    ----------
    path : str
        Folder inside a data root.
    size : int
        Images are resized to size × size.
    grayscale : bool
        One channel in place of three.
    classes : list of str
        Names of all classes, in order; those of the sub-folders where not given. For a split that lacks some of them.
    group_before : str
        Text that ends the part of a file's name by which images belong together: with "_", ``patient7_left.png`` and
        ``patient7_right.png`` are in group ``patient7``. A split by ``group`` then keeps them on one side.
    background : str
        Colour behind what is transparent.
    start, limit : int
        Take `limit` images from `start` on, in an order that mixes the classes and never changes.
    """
    folder = resolve_inside(path)
    if not folder.is_dir():
        raise DatasetError(f"{path} is not a folder; give the folder that holds one folder of images a class")
    told_apart(classes or (), path)
    decode = Decoder(size, grayscale, background)
    found = {entry.name: _below(entry) for entry in sorted(folder.iterdir()) if entry.is_dir() and not _junk(entry)}
    holding = [name for name, below in found.items() if below.images]
    loose = _below(folder, deeper=False)
    _refuse(path, folder, found, holding, loose, classes)
    names = holding if classes is None else classes
    files = [(image, names.index(name)) for name in holding for image in found[name].images]
    order = np.random.default_rng(0).permutation(len(files))
    chosen, _ = select(order, order, start, limit)
    x = np.empty((len(chosen), 1 if grayscale else 3, size, size), np.float32)
    damaged = []
    for row, index in enumerate(chosen):
        name = files[index][0].relative_to(folder).as_posix()
        file = resolve_inside(str(files[index][0]), told=f"{path}: {name}")  # a link may lead out of the roots
        try:
            x[row] = decode.read(file.read_bytes())
        except Exception as error:  # the decoders of damaged files raise nearly anything, SyntaxError among it
            damaged.append((name, error))
    if damaged:
        said = "; ".join(f"{name}: {error}" for name, error in sorted(damaged, key=str)[:_MOST_NAMED])
        raise DatasetError(f"{path}: {len(damaged)} of {len(chosen)} images cannot be read: {said}")
    about = {"file": np.array([files[index][0].relative_to(folder).as_posix() for index in chosen])}
    if group_before is not None:
        about["group"] = np.array([files[index][0].stem.split(group_before)[0] for index in chosen])
    y = np.array([files[index][1] for index in chosen], dtype=np.int64)
    description = decode.description(path).joined(_left_out(path, found, holding, loose, classes))
    description = description.joined(_mixed(path, folder, found, holding))
    return ArrayDataset(x, y, names, path, item_metadata=about, description=description)


def _junk(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name.lower() in _JUNK


def _below(folder: Path, *, deeper: bool = True) -> _Found:
    """Return what is in a folder, and in the folders in it, in the order of their names."""
    found = _Found()
    for file in _files(folder, (), found, deeper=deeper):
        if _is_image(file):
            found.images.append(file)
        else:
            found.others[file.suffix.lower() or "no suffix"] += 1
    return found


def _files(folder: Path, above: tuple[Path, ...], found: _Found, *, deeper: bool) -> Iterator[Path]:
    resolved = resolve_inside(str(folder), told=folder.name)
    if resolved in above:
        return  # a link that leads back up
    for entry in sorted(folder.iterdir()):
        if _junk(entry):
            found.junk += 1
        elif not entry.is_dir():
            yield entry
        elif deeper:
            yield from _files(entry, (*above, resolved), found, deeper=True)


def _is_image(file: Path) -> bool:
    from PIL import Image

    Image.init()
    suffix = file.suffix.lower()
    if suffix:
        return suffix not in _NO_PICTURES and Image.registered_extensions().get(suffix) in Image.OPEN
    try:  # by what it begins with
        with Image.open(resolve_inside(str(file))):
            return True
    except Exception:
        return False


def _refuse(
    path: str,
    folder: Path,
    found: dict[str, _Found],
    holding: list[str],
    loose: _Found,
    classes: list[str] | None,
) -> None:
    """Raise what is wrong with a folder as a set of classes."""
    inside = {name: _folders_of(found[name], folder / name) for name in holding}
    splits = len(holding) > 1 and all(inside.values()) and _SPLITS.issuperset(name.lower() for name in holding)
    if splits and not set(holding) <= set(classes or ()):
        raise DatasetError(
            f"{path} holds the splits {', '.join(holding)}, each with folders of classes: give them as two datasets, "
            f"train with path={path}/{_named(holding, 'train')} and test with path={path}/{_named(holding, 'test')}"
        )
    if classes is None and len(holding) == 1:
        deeper = _branching(folder, found[holding[0]])
        if held := _folders_of(found[holding[0]], deeper):
            at = deeper.relative_to(folder).as_posix()
            raise DatasetError(
                f"{path} holds a single folder {holding[0]!r}, and {at} in it {', '.join(held[:_MOST_NAMED])}: if "
                f"those are the classes, give path={path}/{at}; if {holding[0]!r} is the only one, name it in classes"
            )
    if not found and loose.images:
        raise DatasetError(f"{path} has no sub-folders, and {len(loose.images)} images beside: put them in one a class")
    if not found:
        raise DatasetError(f"{path} has no sub-folders; it needs one a class")
    if not holding:
        others = sum((below.others for below in found.values()), Counter[str]())
        seen = f"; its files are {_counted(others)}" if others else ""
        raise DatasetError(f"{path} has no images in the folders {', '.join(list(found)[:_MOST_NAMED])}{seen}")
    if classes is not None and (extra := [name for name in holding if name not in classes]):
        raise DatasetError(f"{path} has a folder {extra[0]!r} that is not among the classes {', '.join(classes[:20])}")


def _branching(folder: Path, below: _Found) -> Path:
    """Return the deepest folder that has all images in it."""
    shared = list(zip(*(image.parent.relative_to(folder).parts for image in below.images), strict=False))
    alike = next((k for k, names in enumerate(shared) if len(set(names)) > 1), len(shared))
    return folder.joinpath(*(names[0] for names in shared[:alike]))


def _folders_of(below: _Found, folder: Path) -> list[str]:
    """Return the folders in a folder that have all of its images; none where some lie in it directly."""
    parts = [image.relative_to(folder).parts for image in below.images]
    return [] if any(len(part) == 1 for part in parts) else list(dict.fromkeys(part[0] for part in parts))


def _named(names: list[str], what: str) -> str:
    return next((name for name in names if name.lower().startswith(what)), names[0] if what == "train" else names[-1])


def _left_out(
    path: str, found: dict[str, _Found], holding: list[str], loose: _Found, classes: list[str] | None
) -> Description:
    """Return what of a folder is no item, and why."""
    notes, warnings = [], []
    others = sum((below.others for below in found.values()), loose.others)
    if others:
        what = f"{others.total()} files are left out, for Pillow reads no images of their kind: {_counted(others)}"
        warnings.append(Remark("files_left_out", f"{path}: {what}"))
    if loose.images:
        what = f"{len(loose.images)} images lie in no folder of a class, and are left out"
        warnings.append(Remark("images_left_out", f"{path}: {what}"))
    empty = [name for name in found if name not in holding and name not in (classes or ())]
    if empty:
        named = ", ".join(repr(name) for name in empty[:_MOST_NAMED])
        warnings.append(Remark("folders_left_out", f"{path}: no class, for there are no images in: {named}"))
    if junk := loose.junk + sum(below.junk for below in found.values()):
        what = f"{junk} hidden files and folders, or ones that other systems left behind, are passed over"
        notes.append(Remark("junk_left_out", f"{path}: {what}"))
    return Description(tuple(notes), tuple(warnings))


def _mixed(path: str, folder: Path, found: dict[str, _Found], holding: list[str]) -> Description:
    """Return a warning where each class has its splits in it, all of which are read."""
    inside = {part for name in holding for part in _folders_of(found[name], folder / name)}
    if len(inside) < 2 or not _SPLITS.issuperset(name.lower() for name in inside):
        return Description()
    said = (
        f"{path}: the folders of classes hold {', '.join(sorted(inside))}, which are read as one: if they are splits,"
    )
    return Description(warnings=(Remark("splits_mixed", f"{said} make them the outer folders, and register two"),))


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_MOST_NAMED))
