/**
 * scripts/install as an operator runs it on a machine without systemd: installed, installed again,
 * upgraded under running instances, set back to the earlier version when the new one does not
 * start, removed with and without its state. In namespaces of its own, as the quickstart's test.
 * (vagrant/ tests systemd, engines and three hosts.)
 */
import { resolve } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { borrowMachine } from '../kit/borrowed.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 900_000

const SCRIPT = `
export ATOLL_START_SECONDS=60
mkdir /mnt/new
version() { sed -n 's/^version  *//p' <(atoll status) | cut -d ' ' -f 1; }
newer() {
  mkdir -p /mnt/new/$1
  tar -C ${ROOT} -c $(sed -n "s/^SOURCES='\\(.*\\)'$/\\1/p" ${ROOT}/scripts/lib-release.sh) | tar -C /mnt/new/$1 -x
  sed -i 's/"version": "[^"]*"/"version": "'$1'"/' /mnt/new/$1/package.json
}

# One that says who was asked for, and refuses.
cat >/mnt/proxy.js <<'PROXY'
const asked = (request, socket) => { console.log(request.method, request.url); socket.end('HTTP/1.1 403 no\\r\\n\\r\\n') }
const { createServer } = require('node:http')
createServer((request, answer) => asked(request, answer.socket)).on('connect', asked).listen(3128, '127.0.0.1')
PROXY
${process.execPath} /mnt/proxy.js >/mnt/proxy.asked & proxying=$!
docker_info() { curl -s --unix-socket /run/atoll/docker.sock http://docker/info | tr , '\\n' | grep -i proxy; }
proxies_said() { atoll doctor --json | tr -d '\\n' | grep -o '"name": "proxies"[^}]*'; }

echo "== first"
http_proxy=http://127.0.0.1:3128 https_proxy='http://me:pa$s@127.0.0.1:3128' NO_PROXY=mine.example \\
  ${ROOT}/scripts/install || echo "failed with $?"
stat -c '%a %n' /etc/atoll/secret /etc/systemd/networkd.conf.d/atoll.conf /etc/systemd/network/00-atoll.network /etc/NetworkManager/conf.d/atoll.conf
head -1 /etc/atoll/atoll.yaml
echo "== proxies"
stat -c '%a %n' /etc/atoll/proxy.env
cat /etc/atoll/proxy.env
docker_info
docker --host unix:///run/atoll/docker.sock pull registry.example/team/app:1 2>&1
cat /mnt/proxy.asked
tr '\\0' '\\n' </proc/$(cat /run/atoll/atolld.pid)/environ | grep -i https_proxy
proxies_said
echo "== instance"
eval "$(atoll env)"
DOCKER_HOST=unix://$(sed -n 's/^  socket: //p' /etc/atoll/atoll.yaml) ${ROOT}/scripts/make-sample-image >/dev/null
e() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text ec2 "$@"; }
image=$(e register-image --name sample --image-location docker://atoll-sample:latest --query ImageId)
e wait image-available --image-ids $image
id=$(e run-instances --image-id $image --instance-type at1.small --query 'Instances[0].InstanceId')
e wait instance-running --instance-ids $id
address=$(e describe-instances --query 'Reservations[0].Instances[0].PrivateIpAddress')
for round in $(seq 100); do ping -q -c 1 -W 1 $address >/dev/null && break; done
echo "== again"
${ROOT}/scripts/install || echo "failed with $?"
/opt/atoll/current/scripts/install || echo "failed with $?"
ls /opt/atoll/releases/*
echo "== reconfigured"
${ROOT}/scripts/install --zone other-1a
${ROOT}/scripts/install --reconfigure --zone 'no zone' || echo "refused with $?"
atoll hosts
ip address add 10.99.0.1/32 dev lo
${ROOT}/scripts/install --reconfigure --zone other-1a --address 10.99.0.1 --vxlan || echo "failed with $?"
sed -n '/^fabric/,/^docker/p' /etc/atoll/atoll.yaml
ping -q -c 1 -W 2 $address | grep received
${ROOT}/scripts/install --reconfigure --zone other-1a || echo "failed with $?"
ip address del 10.99.0.1/32 dev lo
ls /etc/atoll | grep -c 'atoll.yaml[.]2'
atoll hosts
echo "== upgrade"
newer 9.9.1
ping -q -i 0.05 $address >/mnt/ping & pinging=$!
/mnt/new/9.9.1/scripts/install || echo "failed with $?"
kill -INT $pinging; wait $pinging
cat /mnt/ping
version
echo "== broken"
newer 9.9.2
sed -i "s/^const log = \\|^  const log = /if (config !== null) throw new Error('not today')\\n&/" /mnt/new/9.9.2/src/daemon-process.ts
ATOLL_START_SECONDS=60 /mnt/new/9.9.2/scripts/install 2>&1 && echo "it started"
version
echo "== kept"
/opt/atoll/current/scripts/install --uninstall --keep-state || echo "failed with $?"
ls /opt /usr/local/bin | grep atoll
ping -q -c 1 -W 2 $address | grep received
${ROOT}/scripts/install || echo "failed with $?"
atoll instances
echo "== address"
ip link add lan type veth peer name far
ip address add 10.77.0.1/24 dev lan
ip link set lan up; ip link set far up
${ROOT}/scripts/install --api-address 192.0.2.1; echo "exit $?"
${ROOT}/scripts/install --api-address 10.77.0.100 || echo "failed with $?"
for round in $(seq 300); do ip -br address show lan | grep -q 10.77.0.100/32 && break; sleep 0.1; done
ip -br address show lan
curl -s --cacert /etc/atoll/tls/ca.crt https://10.77.0.100:8773/healthz; echo
atoll doctor --json | tr -d '\\n' | grep -o '"name": "API address"[^}]*'
${ROOT}/scripts/install || echo "failed with $?"
${ROOT}/scripts/install --api-address none || echo "failed with $?"
ls /etc/atoll/keepalived.conf; ip -br address show lan
ip link delete lan
echo "== wrong"
${ROOT}/scripts/install --engines --hosts 10.0.0.1 --address 10.0.0.9; echo "exit $?"
${ROOT}/scripts/install --hosts 10.0.0.1,db2 --address 10.0.0.1; echo "exit $?"
${ROOT}/scripts/install --hosts 10.0.0.1 --address 10.0.0.1; echo "exit $?"
echo "== removed"
# Instances still run then, and there is no release any more.
${ROOT}/scripts/install --uninstall --keep-state || echo "failed with $?"
${ROOT}/scripts/install --uninstall || echo "failed with $?"
${ROOT}/scripts/install --uninstall || echo "failed with $?"
kill $proxying
rm -rf /mnt/new /mnt/ping /mnt/proxy.*
`

let machine: Awaited<ReturnType<typeof borrowMachine>>

beforeAll(async () => {
  machine = await borrowMachine(SCRIPT, TIMEOUT_MS)
}, TIMEOUT_MS)

it('installs, with a secret that only root reads', () => {
  expect(machine.part('first'), machine.ran.stderr).toContain('ok  Start atolld')
  expect(machine.part('first')).toContain('600 /etc/atoll/secret')
  for (const note of ['networkd.conf.d/atoll.conf', 'network/00-atoll.network'])
    expect(machine.part('first')).toContain(`644 /etc/systemd/${note}`)
  expect(machine.part('first')).toContain('644 /etc/NetworkManager/conf.d/atoll.conf')
  expect(machine.part('first')).toContain('# Made by scripts/install')
  expect(machine.part('first')).toContain('systemd does not run here')
})

it("gives the machine's proxies to the Docker engine and the daemon, and keeps them from others' eyes", () => {
  const said = machine.part('proxies')
  expect(said, machine.ran.stderr).toContain('600 /etc/atoll/proxy.env')
  expect(said).toContain('HTTPS_PROXY="http://me:pa\\$s@127.0.0.1:3128"')
  expect(said).toContain('"HttpsProxy":"http://xxxxx:xxxxx@127.0.0.1:3128"')
  expect(said).toContain('"NoProxy":"mine.example"')
  expect(said).toContain('CONNECT registry.example:443')
  expect(said).toContain('HTTPS_PROXY=http://me:pa$s@127.0.0.1:3128')
  expect(said).toMatch(/"name": "proxies",\s+"result": "ok"/)
})

it('does nothing when there is nothing to do', () => {
  expect(machine.part('again')).toContain('ok  atolld already runs this version')
  expect(machine.part('again')).not.toContain('Start atolld')
  expect(machine.part('again').match(/already runs this version/g)).toHaveLength(2)
  expect(machine.part('again')).not.toMatch(/^src$|failed with/m)
})

it('changes settings only when asked to and when they are valid, and keeps the old ones', () => {
  const said = machine.part('reconfigured')
  expect(said).toContain('--reconfigure writes it from these options')
  expect(machine.ran.stderr).toContain('this version refuses /etc/atoll/atoll.yaml.new')
  expect(said).toContain('refused with 1')
  expect(said).toContain('mode: vxlan')
  expect(said).toContain('1 received')
  expect(said).toMatch(/^2$/m)
  expect(said.match(/ (?:atoll-1a|other-1a) /g)).toStrictEqual([' atoll-1a ', ' other-1a '])
  expect(said).not.toContain('failed with')
})

it('brings another version while an instance answers every ping', () => {
  expect(machine.part('upgrade')).toContain('ok  Start atolld (9.9.1')
  expect(machine.part('upgrade')).toMatch(/ 0% packet loss/)
  expect(machine.part('upgrade')).toMatch(/^9\.9\.1$/m)
})

it('goes back to the version before when the new one does not start', () => {
  expect(machine.part('broken')).toContain('not today')
  expect(machine.part('broken')).toContain('going back to /opt/atoll/releases/9.9.1')
  expect(machine.part('broken')).not.toContain('it started')
  expect(machine.part('broken')).toMatch(/^9\.9\.1$/m)
})

it('continues with what --keep-state has kept', () => {
  expect(machine.part('kept')).toContain('1 received')
  expect(machine.part('kept')).toMatch(/i-[0-9a-f]+ .* running/)
})

it('shares an address of the API, and gives it back', () => {
  const [there = '', gone = ''] = machine.part('address').split('keepalived already looks after')
  expect(there).toContain('exit 1')
  expect(there).toMatch(/^lan.* 10\.77\.0\.100\/32 /m)
  expect(there).toContain('{"healthy":')
  expect(there).toMatch(/"name": "API address",\s+"result": "ok"/)
  expect(gone).toMatch(/^lan(?!.*10\.77\.0\.100)/m)
  expect(machine.part('address')).not.toContain('failed with')
  expect(machine.ran.stderr).toContain('no network of this host has 192.0.2.1')
})

it('refuses invalid settings, with what to do', () => {
  expect(machine.part('wrong').match(/^exit 1$/gm)).toHaveLength(3)
  for (const why of [
    'is not in --hosts',
    'db2 is not an IPv4 address',
    'does not have the address',
  ])
    expect(machine.ran.stderr).toContain(why)
})

it('leaves nothing behind', () => {
  expect(machine.part('removed'), machine.ran.stderr).not.toContain('failed')
  expect(machine.left()).toBe('')
})
