"""Every built notebook opens in a real Jupyter server that has jupytext installed."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow
TOKEN = "for-this-test-alone"


@pytest.fixture(scope="module")
def server(tmp_path_factory, root, _built_once):
    """``(folder, open)``: a server's root folder, and a function that opens a file of it."""
    folder = tmp_path_factory.mktemp("served")
    for name, source in {"solutions": root, "notebooks": root, "toy": _built_once}.items():
        shutil.copytree(source / ("notebooks" if name == "toy" else name), folder / name)
    home = tmp_path_factory.mktemp("home")
    settings = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home),
        "JUPYTER_DATA_DIR": str(home),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1"]
    command += ["--port=0", f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={TOKEN}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
    try:
        yield folder, opener(address_of(process, home))
    finally:
        process.terminate()
        process.wait(timeout=30)


def address_of(process, home):
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        for file in (home / "runtime").glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text())["url"]
            except ValueError:  # not written to its end yet
                pass
        time.sleep(0.1)
    raise AssertionError((home / "log.txt").read_text())


def opener(address):
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def open_(path):
        request = urllib.request.Request(f"{address}api/contents/{path}")
        request.add_header("Authorization", f"token {TOKEN}")
        for _ in range(100):
            try:
                with straight.open(request, timeout=30) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
            except urllib.error.URLError:  # the port is known before it is served
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    return open_


def test_every_built_notebook_opens(server):
    folder, open_ = server
    for path in folder.rglob("*.ipynb"):
        status, model = open_(path.relative_to(folder).as_posix())
        assert status == 200, (path.name, model)
        assert model["type"] == "notebook"
        assert model["content"]["cells"]


def test_jupytext_is_at_work_in_this_server(server):
    """Without it, the test above would prove nothing: a percent file opens as a notebook."""
    folder, open_ = server
    (folder / "lesson.py").write_text("# %% [markdown]\n# # Title\n\n# %%\n1 + 1\n")
    status, model = open_("lesson.py?type=notebook")
    assert status == 200, model
    assert [cell["cell_type"] for cell in model["content"]["cells"]] == ["markdown", "code"]
