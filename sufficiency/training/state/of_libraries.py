"""Settings of the libraries that plugins use; one that is imported later is held to its own defaults."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sufficiency.training.state.settings import Setting


def settings() -> Iterator[Setting]:
    """Yield them; which libraries there are is seen when they are read."""
    yield Setting("numpy.seterr", lambda: tuple(np.geterr().items()), lambda before: np.seterr(**dict(before)))
    yield Setting("numpy.seterrcall", np.geterrcall, np.seterrcall)
    yield Setting("numpy.setbufsize", np.getbufsize, np.setbufsize)
    yield Setting("numpy.set_printoptions", _printed, lambda before: np.set_printoptions(**dict(before)), decides=False)
    draws: Any = np.random
    yield Setting("numpy.random's generator", draws.get_bit_generator, draws.set_bit_generator)
    yield _deviations("sklearn.set_config", "sklearn", _of_sklearn, _reset_sklearn)
    yield _deviations("pandas' options", "pandas", _of_pandas, _reset_pandas)
    yield _deviations("Pillow's limits", "PIL.ImageFile", _of_pillow, _reset_pillow)
    yield _deviations("scipy.special.seterr", "scipy.special", _of_special, _reset_special)
    yield _deviations("joblib.parallel_config", "joblib.parallel", _of_joblib, _reset_joblib)
    yield _deviations("threads of a numerical library", "threadpoolctl", _of_pools, _reset_pools)


def _deviations(
    name: str, module: str, read: Callable[[Any], tuple[Any, ...]], reset: Callable[[Any], object]
) -> Setting:
    """Return the setting that is what differs from a library's own defaults; nothing where it is not imported."""

    def found() -> tuple[Any, ...]:
        return read(sys.modules[module]) if module in sys.modules else ()

    return Setting(name, found, lambda _: reset(sys.modules[module]))


def _printed() -> tuple[Any, ...]:
    options = np.get_printoptions()
    return tuple((name, value) for name, value in options.items() if name != "override_repr")


def _of_sklearn(sklearn: Any) -> tuple[Any, ...]:
    defaults = sklearn._config._global_config
    return tuple((name, value) for name, value in sklearn.get_config().items() if value != defaults.get(name))


def _reset_sklearn(sklearn: Any) -> None:
    sklearn.set_config(**sklearn._config._global_config)


def _of_pandas(pandas: Any) -> tuple[Any, ...]:
    options = pandas._config.config
    known = options._registered_options
    return tuple(
        (name, value) for name, option in known.items() if (value := _pandas_value(options, name)) != option.defval
    )


def _pandas_value(options: Any, name: str) -> Any:
    value = options._global_config
    for part in name.split("."):
        value = value[part]
    return value


def _reset_pandas(pandas: Any) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of options that it no longer wants
        for name, _ in _of_pandas(pandas):
            pandas.reset_option(f"^{name}$")


def _of_pillow(image_file: Any) -> tuple[Any, ...]:
    image = sys.modules["PIL.Image"]
    found = (image_file.LOAD_TRUNCATED_IMAGES, image.MAX_IMAGE_PIXELS)
    return () if found == (False, _PIXELS) else found


_PIXELS = 1024 * 1024 * 1024 // 4 // 3


def _reset_pillow(image_file: Any) -> None:
    image: Any = sys.modules["PIL.Image"]
    image_file.LOAD_TRUNCATED_IMAGES, image.MAX_IMAGE_PIXELS = False, _PIXELS


def _of_special(special: Any) -> tuple[Any, ...]:
    # loss, no_result, … are ignored by default, and so is everything else but for memory
    return tuple(
        (kind, way) for kind, way in special.geterr().items() if way != ("raise" if kind == "memory" else "ignore")
    )


def _reset_special(special: Any) -> None:
    special.seterr(all="ignore", memory="raise")


def _of_joblib(parallel: Any) -> tuple[Any, ...]:
    return tuple(vars(parallel._backend).items())


def _reset_joblib(parallel: Any) -> None:
    vars(parallel._backend).clear()


def _of_pools(threadpoolctl: Any) -> tuple[Any, ...]:
    """Return the pools that have another size than the one thread that trainers are started with."""
    return tuple((pool["filepath"], n) for pool in threadpoolctl.threadpool_info() if (n := pool["num_threads"]) != 1)


def _reset_pools(threadpoolctl: Any) -> None:
    threadpoolctl.threadpool_limits(limits=1)
