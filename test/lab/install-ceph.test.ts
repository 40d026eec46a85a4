/**
 * A Ceph cluster that `scripts/install --ceph` sets up, without systemd: on three hosts of which
 * one is lost and comes back, a fourth joins and one leaves; and on one host, by the whole script,
 * with a virtual machine whose disk is there.
 *
 * The hosts are namespaces, with Ceph's packages as if they were installed (kit/ceph-packages.ts).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { borrowMachine } from '../kit/borrowed.ts'
import { asInstalled, unpackedCeph } from '../kit/ceph-packages.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 1_200_000

/** What scripts/install does about Ceph, for a host of which nothing else is installed. */
const ON_A_HOST = `
set -euo pipefail
ROOT=${ROOT} ETC=/etc/atoll CONFIG=/etc/atoll/atoll.yaml SECRET=/etc/atoll/secret
STATE=/var/lib/atoll RUN=/run/atoll CURRENT=$ROOT LOG=/var/log/atoll/install.log
ADDRESS='' NAME='' NEW_CLUSTER='' CEPH='' CEPH_DISKS=''
. $ROOT/scripts/lib.sh
. $ROOT/engines/lib-engines.sh
. $ROOT/engines/install-engines.sh
. $ROOT/engines/install-ceph.sh
. $ROOT/engines/remove-ceph.sh
has_systemd() { false; }
ceph_here() {
  CEPH=$1 CEPH_DISKS=$2 NEW_CLUSTER=\${3:-}
  check_ceph_options
  ensure_ceph_host
  ensure_ceph_pool $ROOT
}
`

const THREE = (home: string, disks: string) => `
own=/mnt
${asInstalled(home)}
cat >/mnt/on-a-host <<'HOST'
${ON_A_HOST}
HOST
mkdir -p /etc/atoll
ip link add br0 type bridge && ip link set br0 up
declare -A process
start() {
  local holder
  unshare --net --mount --pid --uts --fork --kill-child --mount-proc sleep infinity &
  holder=$!
  until process[$1]=$(pgrep -P $holder); do sleep 0.05; done
  ip link add h$1 type veth peer name eth0 netns \${process[$1]}
  ip link set h$1 master br0 up
  mkdir -p ${disks}/h$1/{lib,etc}
  on $1 "
    hostname h$1
    ip link set lo up && ip address add 10.98.0.$1/24 dev eth0 && ip link set eth0 up
    mount --bind ${disks}/h$1/lib /var/lib/ceph && mount --bind ${disks}/h$1/etc /etc/ceph
    for each in /run /etc/atoll /var/log; do mount -t tmpfs tmpfs \\$each; done
    mkdir -p /run/lock /var/log/ceph
    printf 0123456789abcdef0123456789abcdef >/etc/atoll/secret
    printf 'host: {name: h$1}\\ncluster: {secretFile: /etc/atoll/secret}\\nstorage: {ceph: {pool: atoll}}\\n' >/etc/atoll/atoll.yaml
  "
}
on() { nsenter --target \${process[$1]} --net --mount --pid --uts -- bash -c ". /mnt/on-a-host; $2"; }
ceph_on() { on $1 "ceph --connect-timeout 20 $2"; }
healthy() { for round in $(seq 120); do ceph_on $1 health | grep HEALTH_OK && return; sleep 1; done; ceph_on $1 'health detail'; }
all=10.98.0.1,10.98.0.2,10.98.0.3
for each in 1 2 3; do start $each; done

echo "== wrong"
on 1 "ceph_here 10.98.0.1,10.98.0.2 4G" 2>&1
on 1 "ceph_here $all /dev/null" 2>&1
on 1 "ceph_here $all ''" 2>&1
on 1 "ceph_here $all 900000G" 2>&1
on 1 "ceph_here $all,h9 4G" 2>&1
echo "== nobody"
on 2 "ceph_here $all 4G" 2>&1; echo "exit $?"
echo "== first"
on 1 "ceph_here $all 4G yes" 2>&1; echo "exit $?"
ceph_on 1 'config set mon mon_data_avail_warn 2'
ceph_on 1 'config set mon mon_data_avail_crit 1'
echo "== others"
on 2 "ceph_here $all 4G" >/mnt/second 2>&1 & second=$!
on 3 "ceph_here $all 4G" 2>&1; echo "exit $?"
wait $second; echo "exit $?"
cat /mnt/second
echo "== again"
for each in 1 2 3; do on $each "ceph_here $all 4G" 2>&1; echo "exit $?"; done
ceph_on 1 'osd pool get atoll size'
ceph_on 1 'osd pool get atoll min_size'
ceph_on 1 'osd tree'
ceph_on 1 'mon dump'
on 3 "storage_is_made" | grep -c rbd-
echo "== whole"
healthy 2
echo "== rights"
ceph_on 1 'auth get client.atoll'
on 3 "as_atoll ceph auth ls" 2>&1; echo "exit $?"
on 3 "as_atoll ceph health"
on 3 "stat -c '%a %U %n' /etc/ceph/*"
ceph_on 3 'config get mon auth_allow_insecure_global_id_reclaim'
echo "== lost"
on 1 "as_atoll rbd create --size 10M atoll/before"
kill -9 \${process[3]}; ip link del h3
began=$SECONDS
on 1 "until as_atoll rbd create --size 10M atoll/after && as_atoll rbd image-meta set atoll/after a b; do :; done" 2>&1; echo "took $((SECONDS - began))"
ceph_on 1 health
echo "== back"
start 3
on 3 "ceph_here $all 4G" 2>&1; echo "exit $?"
healthy 1
echo "== stays"
on 2 "leave_ceph" 2>&1; echo "exit $?"
echo "== fourth"
start 4
on 4 "ceph_here $all 4G" 2>&1; echo "exit $?"
on 4 "ls /etc/ceph"
echo "== leaves"
on 2 "leave_ceph; ls -A /etc/ceph /var/lib/ceph/osd /var/lib/ceph/mon" 2>&1; echo "exit $?"
ceph_on 1 'osd tree'
ceph_on 1 'mon dump'
on 2 "leave_ceph" 2>&1
on 1 "ceph_here 10.98.0.1,10.98.0.3,10.98.0.4 ''" 2>&1; echo "exit $?"
on 4 "ceph_here 10.98.0.1,10.98.0.3,10.98.0.4 ''" 2>&1; echo "exit $?"
healthy 4
on 3 "as_atoll rbd ls atoll"
for each in 1 2 3 4; do kill -9 \${process[$each]} && ip link del h$each; done
ip link del br0
rm -rf /etc/atoll
`

interface Guest {
  readonly kernelPath: string
  readonly initrdPath: string
}

const ONE = (home: string, disks: string, { kernelPath, initrdPath }: Guest) => `
${asInstalled(home)}
mkdir ${disks}/one && mount --bind ${disks}/one /var/lib/ceph
mkdir -p /run/lock
ip address add 10.99.0.1/32 dev lo
export ATOLL_START_SECONDS=120
install() { ${ROOT}/scripts/install "$@" 2>&1; echo "exit $?"; }
doctor() { atoll doctor --json | tr -d '\n' | grep -oE '"name": "(Ceph|shared storage)"[^}]*'; }
disks() { rbd --id atoll ls atoll | grep atoll-vol; }
echo "== first"
install --ceph 10.99.0.1 --ceph-disk 6G
grep storage /etc/atoll/atoll.yaml
# Of the machine's own disk.
ceph config set mon mon_data_avail_warn 2
ceph config set mon mon_data_avail_crit 1
for round in $(seq 60); do [ "$(doctor | grep -cE 'is rbd-|is whole')" = 2 ] && break; sleep 0.5; done
doctor
echo "== instance"
eval "$(atoll env)"
e() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text ec2 "$@"; }
for file in ${kernelPath} ${initrdPath}; do atoll image publish $file; done
image=$(e register-image --name guest --image-location kernel=/var/lib/atoll/images/vmlinuz,initrd=/var/lib/atoll/images/initrd.img --query ImageId)
e wait image-available --image-ids $image
id=$(e run-instances --image-id $image --instance-type t3.micro --query 'Instances[0].InstanceId' \
  --tag-specifications 'ResourceType=volume,Tags=[{Key=atoll:storage,Value=ceph}]')
e wait instance-running --instance-ids $id && echo running
disks
echo "== again"
install --ceph 10.99.0.1
install --reconfigure
grep storage /etc/atoll/atoll.yaml
echo "== stays"
install --ceph none
e terminate-instances --instance-ids $id
for round in $(seq 120); do disks >/dev/null || break; sleep 0.5; done
echo "== kept"
install --uninstall
pgrep -xc ceph-osd; ls /etc/ceph
echo "== gone"
install --uninstall --ceph none
pgrep -xc ceph-osd; ls -A /etc/ceph /var/lib/ceph/osd /var/lib/ceph/mon
install --uninstall
ip address del 10.99.0.1/32 dev lo
`

let disks = ''
beforeAll(async () => {
  disks = await mkdtemp('/var/tmp/atoll-install-ceph-')
})
afterAll(async () => await rm(disks, { recursive: true, force: true, maxRetries: 10 }))

describe('on three hosts', () => {
  let machine: Awaited<ReturnType<typeof borrowMachine>>
  beforeAll(async () => {
    machine = await borrowMachine(THREE(await unpackedCeph(), disks), TIMEOUT_MS, true)
    if (process.env['ATOLL_SHOW'] === '1')
      process.stdout.write(machine.ran.stdout + machine.ran.stderr)
  }, TIMEOUT_MS)

  it('refuses what cannot be right before anything is changed', () => {
    expect(machine.part('wrong'), machine.ran.stderr).toContain('--ceph names 2 hosts')
    expect(machine.part('wrong')).toContain('/dev/null is neither a device nor a size')
    expect(machine.part('wrong')).toContain('this host has no disk for Ceph')
    expect(machine.part('wrong')).toContain('less than --ceph-disk 900000G')
    expect(machine.part('wrong')).toContain('--ceph h9 is not an IPv4 address')
    expect(machine.part('wrong')).not.toContain('... ')
  })

  it('makes no second cluster where none answers', () => {
    expect(machine.part('nobody')).toContain('on the first host: add --new-cluster')
    expect(machine.part('nobody')).toContain('exit 1')
  })

  it('begins with one host and has the last one make the pool', () => {
    expect(machine.part('first')).toContain('1 of 3 hosts have a disk for Ceph')
    expect(machine.part('first')).toContain('exit 0')
    expect(machine.part('others').match(/exit 0/g)).toHaveLength(2)
    expect(machine.part('others')).toContain('ok  Make the pool a storage of this cloud')
  })

  it('changes nothing when it is run again', () => {
    expect(machine.part('again').match(/exit 0/g)).toHaveLength(3)
    expect(machine.part('again')).toMatch(/^size: 3\nmin_size: 2$/m)
    expect(machine.part('again').match(/^ *\d+ .* osd\.\d+ +up /gm)).toHaveLength(3)
    expect(
      machine.part('again').match(/^\d: \[?v2:10\.98\.0\.\d:3300\/0\]? mon\.h\d$/gm),
    ).toHaveLength(3)
  })

  it('is whole', () => expect(machine.part('whole')).toContain('HEALTH_OK'))

  it('gives Atoll no more than it needs, and keeps keys to root', () => {
    const rights = machine.part('rights')
    expect(rights).toContain('caps mon = "profile rbd, allow command \\"osd blocklist\\""')
    expect(rights).toContain('caps osd = "profile rbd pool=atoll"')
    expect(rights).toContain('exit 13')
    expect(rights).toContain('HEALTH_OK')
    expect(rights.match(/^600 root \/etc\/ceph\/ceph\.client\.\w+\.keyring$/gm)).toHaveLength(2)
    expect(rights).toContain('false')
  })

  it('goes on without one of them, which comes back', () => {
    expect(machine.part('lost')).toMatch(/^took \d+$/m)
    expect(machine.part('lost')).toContain('HEALTH_WARN')
    expect(machine.part('back')).toContain('exit 0')
    expect(machine.part('back')).toContain('HEALTH_OK')
  })

  it('lets no host leave whose copies have no other place', () => {
    expect(machine.part('stays')).toContain(
      '2 other hosts have disks for Ceph, too few for 3 copies',
    )
    expect(machine.part('stays')).toContain('exit 1')
  })

  it('takes a fourth host with a disk alone, and lets another one leave then', () => {
    expect(machine.part('fourth')).toContain('exit 0')
    expect(machine.part('fourth')).not.toContain('client.admin')
    const left = machine.part('leaves')
    expect(left.match(/exit 0/g)).toHaveLength(3)
    expect(left.match(/^ *\d+ .* osd\.\d+ +up /gm)).toHaveLength(3)
    expect(left).not.toContain('mon.h2')
    expect(left).toContain('ok  this host has no part of a Ceph cluster')
    expect(left).toContain('HEALTH_OK')
    expect(left).toContain('after')
  })

  it('ends', () => expect(machine.left()).toBe(''))
})

describe.skipIf(!canRunMachines())('on one host', () => {
  let machine: Awaited<ReturnType<typeof borrowMachine>>
  beforeAll(async () => {
    const script = ONE(await unpackedCeph(), disks, await tinyGuest())
    machine = await borrowMachine(script, TIMEOUT_MS, true)
    if (process.env['ATOLL_SHOW'] === '1')
      process.stdout.write(machine.ran.stdout + machine.ran.stderr)
  }, TIMEOUT_MS)

  it('is set up with Atoll, by one command', () => {
    const said = machine.part('first')
    expect(said, machine.ran.stderr).toContain('exit 0')
    expect(said).toContain('with 1 copy of each block')
    expect(said).toContain('storage: {ceph: {pool: atoll}}')
    expect(said).toMatch(/"shared storage".*"ok".*the pool atoll is rbd-/)
    expect(said).toMatch(/"Ceph".*"ok".*the cluster is whole/)
  })

  it('has the disks of virtual machines', () => {
    expect(machine.part('instance'), machine.ran.stderr).toContain('running')
    expect(machine.part('instance')).toMatch(/^atoll-vol-[0-9a-f]+$/m)
  })

  it('stays as it is when it is run again, and with new settings', () => {
    expect(machine.part('again').match(/exit 0/g)).toHaveLength(2)
    expect(machine.part('again')).toContain('ok  atolld already runs this version')
    expect(machine.part('again')).toContain('storage: {ceph: {pool: atoll}}')
  })

  it('is not ended while an instance has a disk there, nor with Atoll', () => {
    expect(machine.part('stays')).toContain('their disks in the pool (1)')
    expect(machine.part('stays')).toContain('exit 1')
    expect(machine.part('kept')).toContain("Kept: this host's part of the Ceph cluster")
    expect(machine.part('kept')).toMatch(/^1$/m)
    expect(machine.part('kept')).toContain('atoll-disks')
  })

  it('is ended when that is asked for', () => {
    expect(machine.part('gone')).toContain('ok  End the Ceph cluster')
    expect(machine.part('gone')).toMatch(/^0$/m)
    expect(machine.part('gone')).not.toMatch(/ceph-|keyring/)
    expect(machine.part('gone').match(/exit 0/g)).toHaveLength(2)
    expect(machine.left()).toBe('')
  })
})
