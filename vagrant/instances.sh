#!/bin/bash
# instances.sh HOSTS: on the last machine of the Vagrant cluster, once all hosts are there: an instance on each of them, through the API.
set -euo pipefail
hosts=$1
deadline=$((SECONDS + ${ATOLL_INSTANCES_SECONDS:-1200}))

# until_it "what is waited for" COMMAND...
until_it() {
  local what=$1
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "gave up waiting for: $what" >&2; exit 1; }
    sleep 2
  done
  echo "ok  $what"
}
live_hosts() { atoll hosts --json 2>/dev/null | jq -e --argjson hosts "$hosts" '[.. | objects | select(.status? == "active")] | length >= $hosts' >/dev/null; }
ec2() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text ec2 "$@"; }
running() { ec2 describe-instances --filters Name=instance-state-name,Values=running --query 'Reservations[].Instances[].InstanceId' | wc -w; }
enough_run_or_fail() { none_failed && [ "$(running)" -ge "$hosts" ]; }

until_it "$hosts hosts have joined" live_hosts
command -v aws >/dev/null || apt-get install -y -q --no-install-recommends awscli
command -v jq >/dev/null || apt-get install -y -q --no-install-recommends jq
eval "$(atoll env)"
image=$(ec2 describe-images --owners self --filters Name=name,Values=atoll-sample --query 'Images[0].ImageId')
[ "$image" != None ] ||
  image=$(ec2 register-image --name atoll-sample --image-location /srv/atoll-sample.tar.gz --query ImageId)
image_is_there() { [ "$(ec2 describe-images --image-ids "$image" --query 'Images[0].State')" = available ]; }
until_it "$image is available" image_is_there
missing=$((hosts - $(running)))
# Placement takes the host with most room: one each.
launched=()
if [ "$missing" -gt 0 ]; then
  read -ra launched < <(ec2 run-instances --image-id "$image" --instance-type at1.small --count "$missing" \
    --tag-specifications 'ResourceType=instance,Tags=[{Key=Name,Value=web}]' --query 'Instances[].InstanceId')
  echo "${launched[*]}"
fi
# One that could not be started does not come up by waiting.
none_failed() {
  local reasons
  [ "${#launched[@]}" -gt 0 ] || return 0
  reasons=$(ec2 describe-instances --instance-ids "${launched[@]}" --filters Name=instance-state-name,Values=terminated \
    --query 'Reservations[].Instances[].[InstanceId,StateReason.Message]')
  [ -z "$reasons" ] || { printf '%s\n' "$reasons" >&2; exit 1; }
}
until_it "$hosts instances run" enough_run_or_fail
for address in $(ec2 describe-instances --filters Name=instance-state-name,Values=running --query 'Reservations[].Instances[].PrivateIpAddress'); do
  until_it "$address answers" curl -sf -o /dev/null -m 5 "http://$address/"
done
atoll hosts
atoll instances
