/**
 * Where the process of a virtual machine lives: network, IPC, UTS and mount namespaces of its own,
 * a root of its own with /usr and the few devices that it needs, limits, no rights. Pure.
 *
 * Its network is empty: taps and sockets are descriptors that it inherits. Its /proc shows it no
 * process but its own (hidepid, proc(5)). It has no PID namespace: the process that makes one would
 * have to stay, one more for each machine.
 */
import { QEMU } from '../kvm/kvm.ts'

/**
 * util-linux's and coreutils' programs alone; the root is made on a file system that nobody else
 * sees.
 */
const SCRIPT = `
# Whoever starts us moves us into our control group first. Who died before leaves nothing behind.
read -r _
exec </dev/null
umask 022
mount -t tmpfs -o mode=0755,size=64k,nr_inodes=64 root /tmp
cd /tmp
mkdir usr proc dev
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
mount --bind /usr usr
mount -o remount,bind,ro,nosuid,nodev usr
mount -t proc -o nosuid,nodev,noexec,hidepid=invisible proc proc
for name in null zero random urandom kvm; do
  [ -c "/dev/$name" ] || continue
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mount -o remount,ro,nosuid .
pivot_root . .
umount -l .
cd /
exec prlimit --core=0 --nofile=$2 --nproc=$3 -- \\
  setpriv --reuid="$0" --regid="$1" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- \\
  ${QEMU} "\${@:4}"
`
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
  return { program: 'unshare', args: [...spaces, 'bash', '-ec', SCRIPT, ...words, ...args] }
}
