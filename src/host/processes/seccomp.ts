/**
 * A filter of system calls for programs that only read, compute, and write files that they were
 * given (seccomp(2)). Pure.
 *
 * It lists denied calls: those that affect other processes or the kernel's settings, and those into
 * kernel code that a parser does not need and that has had most vulnerabilities. A list of allowed
 * calls would break with new versions of the C library.
 */

/**
 * Numbers of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl); those above 424 are the same
 * everywhere.
 */
const DENIED = {
  socket: 41,
  connect: 42,
  bind: 49,
  listen: 50,
  socketpair: 53,
  shmget: 29,
  semget: 64,
  msgget: 68,
  ptrace: 101,
  syslog: 103,
  mknod: 133,
  personality: 135,
  modify_ldt: 154,
  pivot_root: 155,
  chroot: 161,
  acct: 163,
  settimeofday: 164,
  mount: 165,
  umount2: 166,
  swapon: 167,
  swapoff: 168,
  reboot: 169,
  sethostname: 170,
  setdomainname: 171,
  iopl: 172,
  ioperm: 173,
  init_module: 175,
  delete_module: 176,
  quotactl: 179,
  io_setup: 206,
  clock_settime: 227,
  mq_open: 240,
  kexec_load: 246,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  mknodat: 259,
  unshare: 272,
  vmsplice: 278,
  perf_event_open: 298,
  fanotify_init: 300,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  kcmp: 312,
  finit_module: 313,
  kexec_file_load: 320,
  bpf: 321,
  userfaultfd: 323,
  pidfd_send_signal: 424,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  pidfd_open: 434,
  pidfd_getfd: 438,
  mount_setattr: 442,
  quotactl_fd: 443,
  landlock_restrict_self: 446,
  memfd_secret: 447,
} as const
const CLONE = 56
/** Its flags are in memory, which a filter cannot read. The C library falls back to clone(2). */
const CLONE3 = 435
/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS (linux/sched.h). */
const NAMESPACES = 0x7e020000
/** Numbers of the x32 ABI, which is unused. */
const X32 = 0x40000000
const AUDIT_ARCH_X86_64 = 0xc000003e

/** linux/filter.h and linux/bpf_common.h. */
const LOAD = 0x20
const IF_EQUAL = 0x15
const IF_AT_LEAST = 0x35
const IF_ANY_BIT = 0x45
const RETURN = 0x06
/** Offsets in struct seccomp_data. */
const AT = { number: 0, architecture: 4, firstArgument: 16 } as const
const ALLOW = 0x7fff0000
const KILL = 0x80000000
const EPERM = 0x00050001
const ENOSYS = 0x00050026

/**
 * The filter for the kernel, an array of struct sock_filter. Null on other architectures than
 * x86-64, because their numbers are not listed here.
 */
export function parserFilter(architecture: string): Buffer | null {
  if (architecture !== 'x64') return null
  const numbers = Object.values(DENIED)
  const program: [number, number, number, number][] = [
    [LOAD, 0, 0, AT.architecture],
    [IF_EQUAL, 1, 0, AUDIT_ARCH_X86_64],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, AT.number],
    [IF_AT_LEAST, 0, 1, X32],
    [RETURN, 0, 0, KILL],
    [IF_EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, ENOSYS],
    // Jumps to the last line.
    ...numbers.map((number, index): [number, number, number, number] => [
      IF_EQUAL,
      numbers.length - index + 3,
      0,
      number,
    ]),
    [IF_EQUAL, 0, 2, CLONE],
    [LOAD, 0, 0, AT.firstArgument],
    [IF_ANY_BIT, 1, 0, NAMESPACES],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, EPERM],
  ]
  const bytes = Buffer.alloc(program.length * 8)
  for (const [index, [code, yes, no, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(yes, index * 8 + 2)
    bytes.writeUInt8(no, index * 8 + 3)
    bytes.writeUInt32LE(value, index * 8 + 4)
  }
  return bytes
}
