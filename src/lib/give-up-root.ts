/** What a part of the daemon does that has no use for root's rights. */

/**
 * Becomes this user and group for good, in all threads: with the user the kernel takes the
 * capabilities (capabilities(7)). Does nothing in a process that is not root's.
 */
export function giveUpRoot(user: number): void {
  if (process.getuid?.() !== 0) return
  process.setgroups?.([])
  process.setgid?.(user)
  process.setuid?.(user)
}
