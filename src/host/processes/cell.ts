/**
 * The isolation of a virtual machine's process: its own network, IPC, UTS and mount namespaces, its
 * own root with /usr and the few devices that it needs, limits, and no privileges. Pure.
 *
 * Its network is empty: taps and sockets are inherited descriptors. Only a machine whose disk is in
 * a pool of Ceph has its host's network, because librbd talks to the cluster itself; and it has the
 * cluster's configuration and the key of the pool's user. In its /proc it sees only its own
 * processes (hidepid, proc(5)). It has no PID namespace, because the process that creates one
 * would have to stay: one more for each machine. The program `cell.sh` sets it up.
 */
import type { CephDisk } from '../ceph/pool.ts'
import { SHARED_PLACE, type SharedDiskFile } from '../files/shared-directory.ts'
import { QEMU } from '../kvm/kvm.ts'

const PROGRAM = `${import.meta.dirname}/cell.sh`
/** Its disks, sockets and taps need about twenty. */
const DESCRIPTORS = 256
/** librbd has a connection to each OSD of the cluster, of which there may be thousands. */
const CEPH_DESCRIPTORS = 16_384
/** Threads of its processors, and threads that wait for disks, of which QEMU starts up to 64. */
const THREADS = 512

/** A disk that the process opens by itself. */
export type CellDisk = SharedDiskFile | CephDisk

/** Where the configuration of the cluster is in the cell. */
export const CELL_CEPH_CONF = '/etc/ceph/ceph.conf'

/**
 * The command that starts the process as this user. It does nothing before it reads a line from
 * stdin. Its process id stays the same. `disk`: what it opens first, as its descriptor 3, or by
 * librbd: whoever opens that may stand still, and this process can be killed by its control group.
 */
export function cellCommand(
  user: number,
  group: number,
  args: readonly string[],
  disk: CellDisk | null,
): { readonly program: string; readonly args: readonly string[] } {
  const isCeph = disk?.kind === 'ceph'
  const spaces = [
    ...(isCeph ? [] : ['--net']),
    '--ipc',
    '--uts',
    '--mount',
    '--propagation',
    'private',
  ]
  const words = [user, group, isCeph ? CEPH_DESCRIPTORS : DESCRIPTORS, THREADS].map(String)
  const own = ['bash', PROGRAM, ...words, ...openingOf(disk)]
  return { program: 'unshare', args: [...spaces, ...own, QEMU, ...args] }
}

function openingOf(disk: CellDisk | null): readonly string[] {
  switch (disk?.kind) {
    case 'file':
      return ['file', SHARED_PLACE, disk.directory, disk.marker, disk.volume]
    case 'ceph':
      return ['ceph', disk.access.conf, disk.access.keyring, disk.access.user]
    default:
      return ['']
  }
}
