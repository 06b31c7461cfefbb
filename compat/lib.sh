# What every client's `run` needs: a gateway that can be killed and started again, files, and checks.
# Sourced, not run.

set -u
: "${GATEWAY:?set GATEWAY to the gateway to test}"
COMPAT_MIB=${COMPAT_MIB:-256}
work=$(mktemp -d)
gateway_pid=
trap 'gateway_kill; rm -rf "$work"' EXIT

export AWS_ACCESS_KEY_ID=compat-access-key AWS_SECRET_ACCESS_KEY=compat-secret-key AWS_DEFAULT_REGION=us-east-1
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=$work/aws-config AWS_SHARED_CREDENTIALS_FILE=$work/aws-credentials
unset AWS_CA_BUNDLE # some clients refuse to start with it

gateway_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
endpoint=http://127.0.0.1:$gateway_port
export ENDPOINT=$endpoint

# Starts the gateway on the same port and data as before, and waits until it is ready.
gateway_start() {
  DOVETAIL_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID DOVETAIL_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY \
    "$GATEWAY" serve --listen "127.0.0.1:$gateway_port" --data-dir "$work/data" >>"$work/gateway.log" 2>&1 &
  gateway_pid=$!
  local tries=0
  until curl --silent --fail --output /dev/null "$endpoint/_/ready"; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 $gateway_pid 2>/dev/null; then
      echo "Bail out! the gateway did not start"; tail -20 "$work/gateway.log" >&2; exit 1
    fi
    sleep 0.1
  done
}

# kill -9: nothing is flushed, nothing is said good-bye to.
gateway_kill() {
  [ -n "$gateway_pid" ] || return 0
  kill -9 "$gateway_pid" 2>/dev/null
  wait "$gateway_pid" 2>/dev/null
  gateway_pid=
}

# check NAME COMMAND...: one line of the Test Anything Protocol; what the command printed is shown when it fails.
check() {
  local name=$1; shift
  if "$@" >"$work/output" 2>&1; then
    echo "ok $name"
  else
    echo "not ok $name"
    sed 's/^/# /' "$work/output" | tail -25
  fi
}

# fails COMMAND...: succeeds when the command fails.
fails() { ! "$@"; }

# random_file PATH MIB: bytes that do not compress and differ from run to run.
random_file() { head -c "$(($2 * 1048576))" /dev/urandom >"$1"; }
