/**
 * Lets a frame arrive on a link as if its other end had sent it.
 *
 * A BPF program that is run once with the frame (bpf(2), BPF_PROG_RUN) redirects a copy of it to
 * the receiving side of the link (bpf-helpers(7), `bpf_clone_redirect`). So it takes the way of
 * every packet of that link, whether a container or a virtual machine is there, and nothing is made
 * that would have to be removed. Errors: `LibcError`.
 */
import { closeSync } from 'node:fs'
import { type Instruction, loadClassifier, runClassifier } from './bpf.ts'

const CLONE_REDIRECT = 13
const INGRESS = 1

/** `index` is the link's. It acts in the calling thread's network namespace. */
export function injectFrame(index: number, frame: Uint8Array): void {
  const program: readonly Instruction[] = [
    { code: 0xb7, to: 2, immediate: index },
    { code: 0xb7, to: 3, immediate: INGRESS },
    { code: 0x85, immediate: CLONE_REDIRECT },
    { code: 0x95 },
  ]
  const loaded = loadClassifier('atoll_inject', program)
  try {
    runClassifier(loaded, frame)
  } finally {
    closeSync(loaded)
  }
}
