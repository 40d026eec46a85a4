/**
 * `scripts/install --engines` as a whole, where no systemd runs: a cluster of one host, with its
 * database and broker over TLS. The host is installed again with nothing to do, and removed. (With
 * systemd and three hosts: vagrant/.)
 */
import { beforeAll, expect, it } from 'vitest'
import { onFreshMachine, whyNoFreshMachine } from './machine.ts'

const TIMEOUT_MS = 1_500_000
const SETTLE_MS = 60_000

const SCRIPT = `
# What Debian's packages make, made here.
for directory in /var/lib/mysql /var/lib/rabbitmq; do mount -t tmpfs tmpfs $directory; done
chown mysql: /var/lib/mysql; chown rabbitmq: /var/lib/rabbitmq
install -d -o mysql /var/log/mysql; install -d -o rabbitmq /var/log/rabbitmq
mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db --auth-root-authentication-method=socket >/dev/null
ip address add 10.99.0.1/32 dev lo
export ATOLL_ENGINES_SECONDS=300
healthy() { for round in $(seq 300); do curl -sf -m 2 http://127.0.0.1:9773/healthz >/dev/null && return; sleep 1; done; echo 'failed: not well'; }
listening() { ss -Hltn | awk '{ print $4 }' | grep -E ':(3306|4369|4567|5671|5672|25672)$' | sort; }

echo "== first"
scripts/install --hosts 10.99.0.1 --address 10.99.0.1 --engines --new-cluster || echo "failed with $?"
healthy
echo "== ports"
listening
nft list table inet atoll_engines
echo "== instance"
eval "$(atoll env)"
e() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text ec2 "$@"; }
DOCKER_HOST=unix:///run/atoll/docker.sock scripts/make-sample-image >/dev/null
image=$(e register-image --name sample --image-location docker://atoll-sample:latest --query ImageId)
e wait image-available --image-ids $image
id=$(e run-instances --image-id $image --instance-type t3.micro --query 'Instances[0].InstanceId')
e wait instance-running --instance-ids $id && echo running
echo "== again"
scripts/install || echo "failed with $?"
healthy
atoll instances
echo "== removed"
scripts/install --uninstall || echo "failed with $?"
left
pgrep -a epmd
echo "== joining"
openssl rand -hex 32 >/root/secret
# As a table drops it that does not know this host.
ip route add blackhole 10.99.0.9
ATOLL_ENGINES_SECONDS=2 scripts/install --hosts 10.99.0.9 --address 10.99.0.1 --secret-file /root/secret || echo "failed with $?"
scripts/install --uninstall >/dev/null || echo "failed with $?"
left
echo "== end"
`

let said = ''

/** What was said between the line \`== heading\` and the next of its kind. */
function part(heading: string): string {
  return (said.split(`== ${heading}\n`)[1] ?? '').split(/^== /m)[0] ?? ''
}

beforeAll(async () => {
  if (whyNoFreshMachine() !== null) return
  said = (await onFreshMachine(SCRIPT, { bare: false, timeoutMs: TIMEOUT_MS })).said
}, TIMEOUT_MS + SETTLE_MS)

it('sets both engines up, which answer', () => {
  expect(part('first'), said).toContain('ok  MariaDB and RabbitMQ answer on this host')
  expect(part('first')).toContain('/opt/atoll/current/scripts/engines-guard admit ADDRESS')
  expect(part('first')).not.toContain('failed')
})

it('has them listen at the address of the fabric, by TLS, behind their table', () => {
  const ports = part('ports')
    .split('\n')
    .filter((line) => /:\d+$/.test(line))
  const outside = ports.filter((line) => !/^(?:127\.0\.0\.1|\[::1\]):4369$/.test(line))
  const expected = [3306, 4369, 4567, 5671, 25_672].map((port) => `10.99.0.1:${port}`)
  expect(outside.toSorted()).toEqual(expected.toSorted())
  expect(part('ports')).toContain('counter packets')
})

it('launches, and does nothing when there is nothing to do', () => {
  expect(part('instance'), said).toContain('running')
  expect(part('again')).toContain('ok  atolld already runs this version')
  expect(part('again')).toMatch(/i-[0-9a-f]+ .* running/)
})

it('leaves nothing', () => {
  expect(part('removed')).toMatch(/Installed Debian packages stay\.\n$/)
})

it('says how a host is let in that the engines do not know', () => {
  expect(part('joining')).toContain('This host does not reach the database on any of 10.99.0.9')
  expect(part('joining')).toContain('engines-guard admit 10.99.0.1')
  expect(part('joining')).not.toContain('failed with')
  expect(said).toContain('== end')
})
