"""A recording has a size, its reader a memory, and what is left out is told."""

import json
import subprocess
import sys
import textwrap

from crewdoctor.model.options import Options
from crewdoctor.pipeline import analyse
from crewdoctor.report import formats
from crewdoctor.wire import fold
from crewdoctor.wire import recording as module
from crewdoctor.wire.recording import RecordingWriter, header, read_recording


def span(number, name="http.request", parent=None, start=None):
    begun = float(number) if start is None else start
    record = {"k": "open", "id": f"1.{number}", "step": "s@s", "name": name, "start": begun, "layer": "tool"}
    return {**record, "subject": "tool:x", "parent": parent, "attrs": {"host": "h", "url": "http://h/"}}


def closed(number, end, failure=None):
    return {"k": "close", "id": f"1.{number}", "end": end, "failure": failure, "attrs": {"status": 200}}


def test_a_full_recording_counts_spans_and_keeps_results(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 4000)
    path = tmp_path / "r.jsonl"
    writer = RecordingWriter(path)
    writer.write(header(Options()))
    for number in range(100):
        writer.write(span(number))
        writer.write(closed(number, number + 1.0))
    writer.write({"k": "own", "step": "", "at": 100.0, "text": "still here"})
    writer.write({"k": "last", "at": 101.0, "interrupted": ""})
    writer.close()

    assert path.stat().st_size < 4000 + 1000
    held = read_recording(path)
    kept = len(held.spans)
    assert 0 < kept < 20
    told = [note["text"] for note in held.notes]
    assert told == ["still here", f"{100 - kept} spans of http.request were not recorded: too many of them"]
    assert told[1] in formats.render(analyse(held), "rich", verbosity=1)


def test_reading_leaves_out_what_ended_soon_and_well_and_keeps_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(fold, "MOST_WIRE", 2_000)
    path = tmp_path / "r.jsonl"
    with path.open("w") as file:
        for record in [header(Options()), span(0, "tool.call", start=0.0)]:
            file.write(json.dumps(record) + "\n")
        for number in range(1, 30_001, 2):
            begun = number / 1000
            slow, bad = number % 1_001 == 0, number % 999 == 0
            end = begun + (0.2 if slow else 0.001)
            failure = {"kind": "tcp.reset"} if bad else None
            file.write(json.dumps(span(number, parent="1.0", start=begun)) + "\n")
            file.write(json.dumps(closed(number, end, failure)) + "\n")
            file.write(json.dumps(span(number + 1, "net.exchange", f"1.{number}", begun)) + "\n")
            file.write(json.dumps(closed(number + 1, end)) + "\n")

    held = read_recording(path)

    requests = [each for each in held.spans if each.name == "http.request"]
    exchanges = [each for each in held.spans if each.name == "net.exchange"]
    assert 2_000 < len(requests) < 9_000
    known = {each.id for each in requests}
    assert {f"1.{number}" for number in range(1, 30_001, 2) if not number % 1_001 or not number % 999} <= known
    assert all(each.parent in known for each in exchanges if each.parent)
    text = " ".join(note["text"] for note in held.notes)
    assert f"{15_000 - len(requests)} spans of http.request were left out when the recording was read" in text
    assert f"{15_000 - len(exchanges)} spans of net.exchange were left out" in text


def test_a_million_spans_fit_into_a_hundred_and_fifty_megabytes(tmp_path):
    program = textwrap.dedent(
        """
        import os, sys, time
        from crewdoctor.model.layer import Layer
        from crewdoctor.worker.recorder import Recorder
        recorder = Recorder()
        fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        recorder.arm(fd, step="s@s", number=1, zero=time.monotonic(), seconds=9, layer=Layer.TOOL)
        for number in range(int(sys.argv[2])):
            request = recorder.open("http.request", url=f"http://h/{number}", host="h", port=80)
            recorder.close(recorder.open("net.exchange", parent=request, host="h"), received_bytes=number)
            recorder.close(request, status=200, first_byte=0.1 / (number + 1))
        recorder.end("ok")
        peaks = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]  # ru_maxrss holds the parent's
        print(int(peaks[0].split()[1]) // 1024)
        """
    )
    # A tenth here: it no longer grows by then. `make bench-recorder` does the whole million.
    made = [sys.executable, "-c", program, tmp_path / "frames", "50000"]
    done = subprocess.run(made, capture_output=True, text=True, timeout=100, check=True)
    assert int(done.stdout) < 150
