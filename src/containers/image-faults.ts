/**
 * Which failures of the Docker Engine are the image's, by the engine's sentence. Pure.
 *
 * The status does not say it. The engine takes "no such file or directory", "permission denied" and
 * "not a directory" in what the runtime says for a mistake in the request (moby, daemon/errors.go,
 * translateContainerdStartErr), also when its own hook, runc or a control group is missing; and a
 * user that the image does not have for an error of its own.
 *
 * So what is not listed here is the host's, and a retry may help. That includes the first program
 * of a container, which is in the guest kit: the image's own is looked for by `guest-entry.sh`.
 */

/** Longer sentences are looked at so far. */
const TEXT_LIMIT = 8_192

const FAULTS: readonly RegExp[] = [
  // The user or group that it names is not in its files (moby/sys/user, in engine and runc).
  /no matching entries in (?:passwd|group) file/,
  /uids and gids must be in range/,
  // Or is none of the 65,536 that a user namespace has (runc, libcontainer/init_linux.go).
  /cannot set [ug]id to unmapped user in user namespace/,
  // Its working directory (moby, container.SetupWorkingDirectory and daemon/create.go; runc).
  /Cannot mkdir: \S+ is not a directory/,
  /needs to be an absolute path/,
  /chdir to cwd \(\S+\) set in config\.json failed: (?:permission denied|not a directory)/,
  // Its stop signal (moby/sys/signal).
  /invalid signal: /i,
  // It has a file or a link where every container has a directory, or a directory instead of
  // /etc/hosts (runc, libcontainer/rootfs_linux.go). Before 1.1 with other words in between.
  /must be mounted on ordinary directory/,
  /mounting \S+ to rootfs .*: not a directory/,
  /mounting \S+ to rootfs .* caused \W*not a directory/,
  // It is a damaged archive (Go's archive/tar, by the engine).
  /archive\/tar: invalid tar header/,
  /processing tar file\(.{0,40}\): unexpected EOF/,
]

/** Whether the image is at fault: then no retry helps. */
export function isImageFault(sentence: string): boolean {
  const text = sentence.slice(0, TEXT_LIMIT)
  return FAULTS.some((fault) => fault.test(text))
}
