/**
 * Where the process of a virtual machine lives: network, IPC, UTS and mount namespaces of its own,
 * a root of its own with /usr and the few devices that it needs, limits, no rights. Pure.
 *
 * Its network is empty: taps and sockets are descriptors that it inherits. Its /proc shows it no
 * process but its own (hidepid, proc(5)). It has no PID namespace: the process that makes one would
 * have to stay, one more for each machine. The program that does it is `cell.sh`.
 */
import { QEMU } from '../kvm/kvm.ts'

const PROGRAM = `${import.meta.dirname}/cell.sh`
/** Its disks, sockets and taps are some twenty. */
const DESCRIPTORS = 256
/** Its processors' threads, and those that wait for disks, of which QEMU starts 64. */
const THREADS = 512

/**
 * How the process is started as this user. It does nothing before a line on its stdin. Its id stays
 * the same.
 */
export function cellCommand(
  user: number,
  group: number,
  args: readonly string[],
): { readonly program: string; readonly args: readonly string[] } {
  const spaces = ['--net', '--ipc', '--uts', '--mount', '--propagation', 'private']
  const words = [user, group, DESCRIPTORS, THREADS].map(String)
  return { program: 'unshare', args: [...spaces, 'bash', PROGRAM, ...words, QEMU, ...args] }
}
