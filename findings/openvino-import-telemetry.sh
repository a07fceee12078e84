#!/usr/bin/env bash
# One would guess that importing an inference runtime sends nothing, and that OpenVINO's telemetry belongs to its conversion tools, which ask for consent.
# `import openvino` imports the converter, which sends an event to Google Analytics from a thread of its own, without a question, and writes an ID and a
# count of uses into ~/intel; with CI=true it does not. No variable of its own switches it off; without the package openvino_telemetry a stub stands in.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
cat > "$folder/run.py" <<'PY'
import os, sys

sent = []
if 'without' in sys.argv:
    sys.modules['openvino_telemetry'] = None
else:
    # Put in place of the sender, so that nothing leaves this machine.
    import openvino_telemetry.utils.sender as sender
    sender.TelemetrySender.send = lambda self, backend, message: sent.append(message['events'][0])
import openvino
written = [name for _, _, names in os.walk(os.environ['HOME']) for name in names]
events = [f"{event['name']} ({event['params']['event_label']})" for event in sent]
print(f'  sends {", ".join(events) or "nothing"}; writes {", ".join(sorted(written)) or "nothing"}')
raise SystemExit(0 if bool(events) == bool(written) == ('sends' in sys.argv) else 1)
PY
run() {
  mkdir -p "$folder/home"
  env -u CI -u TF_BUILD -u JENKINS_URL HOME="$folder/home" "${@:2}" "$folder/venv/bin/python" "$folder/run.py" $1
  rm -rf "$folder/home"
}
echo "openvino $("$folder/venv/bin/pip" show openvino | sed -n 's/^Version: //p')"
{
  echo 'import openvino' && run sends &&
    echo 'import openvino, DO_NOT_TRACK=1' && run sends DO_NOT_TRACK=1 &&
    echo 'import openvino, CI=true' && run quiet CI=true &&
    echo 'import openvino, without openvino_telemetry' && run without
} || { echo 'this has changed' >&2; exit 1; }
