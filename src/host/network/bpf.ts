/**
 * Loads small programs for the packet path into the kernel (bpf(2)), written in its instructions:
 * they are too short to be worth a compiler. Errors: `LibcError`.
 */
import { machine } from 'node:os'
import koffi from 'koffi'
import { errnoOf } from '../../lib/errno.ts'
import { checked } from '../libc.ts'

/** One instruction: Documentation/bpf/standardization/instruction-set of the kernel. */
export interface Instruction {
  readonly code: number
  readonly to?: number
  readonly from?: number
  readonly offset?: number
  readonly immediate?: number
}

const SYSCALL_NUMBERS: Readonly<Record<string, number>> = { x86_64: 321, aarch64: 280 }
const BPF_PROG_LOAD = 5
const BPF_PROG_RUN = 10
const BPF_PROG_TYPE_SCHED_CLS = 3
const INSTRUCTION_BYTES = 8
/** As libbpf does. */
const ATTEMPTS = 5
/** Of the part of union bpf_attr that is used here (linux/bpf.h). */
const ATTRIBUTE_BYTES = 64

/** Loads a classifier of traffic control and gives its descriptor, which the caller closes. */
export function loadClassifier(name: string, program: readonly Instruction[]): number {
  const library = koffi.load('libc.so.6')
  const attributes = koffi.struct({
    type: 'uint32_t',
    count: 'uint32_t',
    instructions: 'const uint8_t *',
    license: 'const uint8_t *',
    logLevel: 'uint32_t',
    logSize: 'uint32_t',
    log: 'const uint8_t *',
    kernelVersion: 'uint32_t',
    flags: 'uint32_t',
    name: koffi.array('uint8_t', 16),
  })
  const syscall = library.func('syscall', 'long', [
    'long',
    'int',
    koffi.pointer(attributes),
    'uint32_t',
  ])
  const request = {
    type: BPF_PROG_TYPE_SCHED_CLS,
    count: program.length,
    instructions: encode(program),
    license: Buffer.from('GPL\0'),
    logLevel: 0,
    logSize: 0,
    log: null,
    kernelVersion: 0,
    flags: 0,
    name: [...Buffer.from(name.padEnd(16, '\0'))],
  }
  for (let attempt = 1; ; attempt += 1)
    try {
      return checked('bpf', syscall(syscallNumber(), BPF_PROG_LOAD, request, ATTRIBUTE_BYTES))
    } catch (error) {
      // The kernel gives up when the thread has a signal pending.
      if (errnoOf(error) !== 'EAGAIN' || attempt === ATTEMPTS) throw error
    }
}

/** Runs the program once with this frame, in the calling thread's network namespace. */
export function runClassifier(descriptor: number, frame: Uint8Array): void {
  const library = koffi.load('libc.so.6')
  const attributes = koffi.struct({
    descriptor: 'uint32_t',
    result: 'uint32_t',
    bytesIn: 'uint32_t',
    bytesOut: 'uint32_t',
    in: 'const uint8_t *',
    out: 'const uint8_t *',
    repeat: 'uint32_t',
    duration: 'uint32_t',
    rest: koffi.array('uint8_t', 24),
  })
  const syscall = library.func('syscall', 'long', [
    'long',
    'int',
    koffi.pointer(attributes),
    'uint32_t',
  ])
  const request = {
    ...{ descriptor, result: 0, bytesIn: frame.length, bytesOut: 0, in: frame, out: null },
    ...{ repeat: 1, duration: 0, rest: Array.from({ length: 24 }, () => 0) },
  }
  checked('bpf', syscall(syscallNumber(), BPF_PROG_RUN, request, ATTRIBUTE_BYTES))
}

function syscallNumber(): number {
  const number = SYSCALL_NUMBERS[machine()]
  if (number === undefined) throw new Error(`no bpf(2) is known for ${machine()}`)
  return number
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * INSTRUCTION_BYTES)
  program.forEach(({ code, to = 0, from = 0, offset = 0, immediate = 0 }, index) => {
    const at = index * INSTRUCTION_BYTES
    bytes.writeUInt8(code, at)
    bytes.writeUInt8((from << 4) | to, at + 1)
    bytes.writeInt16LE(offset, at + 2)
    bytes.writeInt32LE(immediate, at + 4)
  })
  return bytes
}
