/**
 * Lab tests of whole clusters that only the long mode runs (`scripts/test long`, or ATOLL_LONG=1),
 * because all of them together take too long to wait for before a commit. The short ones cover part
 * of them.
 */

/** Whether this run takes all the time that it needs. */
export const isLong = process.env['ATOLL_LONG'] === '1'

/** The files, each with what of it the short mode has instead. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  'test/lab/drills.test.ts':
    'all drills, and a packet traced through two daemons; fresh runs the drill host-loss by the command',
  'test/lab/cluster.test.ts': 'the lab itself; the drills go through most of it',
  'test/lab/clocks.test.ts':
    'two daemons, both engines and a wrong clock; the contract suite of the bus has a wrong clock',
  'test/lab/api-process.test.ts':
    'a daemon that is killed and started many times; the contract suite has bus and consoles over sockets',
  'test/lab/units.test.ts':
    'a daemon whose parts are killed one by one; systemd-unit has what the units say',
  'test/lab/api-process-cluster.test.ts':
    'the same with a real MariaDB and RabbitMQ; the contract suite has bus and consoles over sockets',
  'test/lab/moves.test.ts':
    'whole hosts between which instances move; the contract suites have the transfer and what is packed, the unit suite the records',
  'test/contract/live-migration.test.ts':
    'an emulated machine that is moved seven times; the unit suite has what QEMU is asked, whatever is lost',
  'test/lab/nat-gateway-loss.test.ts':
    'a cluster of which one host after another is lost; nat-gateways has the packets, the unit suite who takes over',
  'test/lab/api-address-loss.test.ts':
    'keepalived and Pacemaker in a cluster of which the host with the address is lost; api-address has what is refused and written',
  'test/lab/warm-instances.test.ts':
    'a daemon that is killed at many points of a launch; contract/workloads-warm has what the engine does, the unit suites the rest',
  'test/lab/recover.test.ts':
    'hosts that are lost in a cluster; sim/failover-cuts has who takes over, fence.test what stops',
  'test/lab/fence.test.ts':
    'three processes that wait for each other; permission-gate has the kernel, the unit suite the hosts on a clock of its own',
  'test/lab/ocf-agent.test.ts':
    "Debian's own testers of resource agents, which wait a second for each step",
  'test/lab/galera.test.ts':
    'nodes lost under load; the contract suite runs on one MariaDB node, the drill host-loss on three',
  'test/lab/bus-cluster.test.ts':
    'brokers lost; the contract suite runs on one, the drill bus-all-loss on three',
  'test/lab/debian.test.ts': 'a whole operating system, emulated; the tiny guest boots in seconds',
  'test/lab/console-daemon-stopped.test.ts':
    'a guest writes megabytes at the speed of a serial line; the unit suite has relay and trimmer',
  'test/lab/services/machine-images-s3.test.ts':
    'a real S3 service; the client is tried against a server of the test in the unit suite',
  'test/attack/engines.test.ts':
    'strangers before the engines of a whole cluster; the contract suite has TLS on one node of each',
  'test/contract/shared-disk.test.ts':
    'two emulated machines, one after the other; the contract suite of disks has what is made and opened',
  'test/lab/recover-disk.test.ts':
    'three whole hosts of which one is lost; the contract suite of disks and the unit suite have the parts',
  'test/lab/recover-ceph.test.ts':
    'a Ceph cluster and three whole hosts of which one is lost; the unit suite has what each of them does',
  'test/lab/install-ceph.test.ts':
    'Ceph clusters of one and of three hosts; the unit suite has what the doctor makes of them',
  'test/contract/ceph-disk.test.ts':
    'a Ceph cluster and two emulated machines; the unit suite has what QEMU is asked',
  'test/contract/ceph.test.ts':
    'a Ceph cluster, two hosts and what one of them is refused; the unit suite has what is asked of it',
  'test/attack/shared-storage-hung.test.ts':
    'a file server that is silent for as long as it takes to notice; shared-storage has all other states of it',
  'test/attack/engine-hung-parts.test.ts':
    'one thing after another hangs for a while; the unit suite has what notices it',
  'test/attack/engine-hung-cluster.test.ts':
    'a real MariaDB and RabbitMQ that hang; engine-hung-store has records that hang',
  'test/clients/*.test.ts':
    'clients that others wrote, each on a whole cloud; contract/api has boto3, the AWS CLI, libcloud and fog',
  'test/fresh/engines.test.ts':
    'an installation with engines; the labs run them with the same settings',
  'test/lab/install.test.ts': 'installing and upgrading; quickstart goes through most of it',
}
