#!/bin/bash
# instances.sh HOSTS: runs on the last machine of the Vagrant cluster. Waits for all hosts, and launches an instance on each through the API.
set -euo pipefail
case ${1:-} in
  '' | -*) sed -n '2s/^# //p' "$0"; [ "${1:-}" != '' ] || exit 2; exit 0 ;;
esac
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

until_it "$hosts hosts have joined" live_hosts
command -v aws >/dev/null || apt-get install -y -q --no-install-recommends awscli
command -v jq >/dev/null || apt-get install -y -q --no-install-recommends jq
eval "$(atoll env)"
image=$(ec2 describe-images --owners self --filters Name=name,Values=atoll-sample --query 'Images[0].ImageId')
[ "$image" != None ] ||
  image=$(ec2 register-image --name atoll-sample --image-location /var/lib/atoll/images/atoll-sample.tar.gz --query ImageId)
image_is_there() { [ "$(ec2 describe-images --image-ids "$image" --query 'Images[0].State')" = available ]; }
until_it "$image is available" image_is_there
# While the records are slow, an answer may come from this host's replica, which may lack the newest launches.
launched=()
launched_are_known() {
  instances=$(atoll instances --json) &&
    jq -e '$ARGS.positional - map(.id) == []' --args "${launched[@]}" <<<"$instances" >/dev/null
}
hosts_with() { jq '[.[] | select(.state != "terminated") | .host] | unique | length' <<<"$instances"; }
# Placement takes any of the hosts with most room, so launch more until every host has an instance.
until_it 'the instances that are there are known' launched_are_known
for ((without = hosts - $(hosts_with); without > 0; without = hosts - $(hosts_with))); do
  [ "${#launched[@]}" -lt $((4 * hosts)) ] || { echo "${#launched[@]} instances, and none on $without hosts" >&2; exit 1; }
  read -ra more < <(ec2 run-instances --image-id "$image" --instance-type at1.small --count "$without" \
    --tag-specifications 'ResourceType=instance,Tags=[{Key=Name,Value=web}]' --query 'Instances[].InstanceId')
  [ "${#more[@]}" -gt 0 ] || exit 1
  launched+=("${more[@]}")
  until_it "launched: ${more[*]}" launched_are_known
done
# Stops waiting when an instance could not be started.
all_run_or_fail() {
  local failed
  launched_are_known || return 1
  failed=$(jq -r '.[] | select(.state == "terminated" and (.id | IN($ARGS.positional[]))) | "\(.id) \(.reason)"' \
    --args "${launched[@]}" <<<"$instances")
  [ -z "$failed" ] || { printf '%s\n' "$failed" >&2; exit 1; }
  jq -e 'all(.[]; .state != "pending")' <<<"$instances" >/dev/null
}
until_it 'an instance runs on each host' all_run_or_fail
# The instance of this host asks, because a security group admits its members, and a host does not reach instances of other hosts.
here=$(jq -r --arg host "$(hostname)" 'map(select(.host == $host and .state == "running"))[0].id // empty' <<<"$instances")
[ -n "$here" ] || { echo "none of them runs on $(hostname)" >&2; exit 1; }
process=$(docker inspect -f '{{.State.Pid}}' "atoll-$here")
for address in $(jq -r '.[] | select(.state == "running") | .ip' <<<"$instances"); do
  until_it "$address answers $here" nsenter -t "$process" -n curl -sf -o /dev/null -m 5 "http://$address/"
done
atoll hosts
atoll instances
