/**
 * The port to the root disk of a virtual machine, wherever it is. One contract suite tests each
 * kind (`test/contract/disks-contract.ts`).
 */
import type { OpenFile } from '../../host/host.ts'
import type { CellDisk } from '../../host/processes/cell.ts'

/** The image below a disk. It is on each host by itself. */
export interface DiskBase {
  readonly path: string
  readonly format: 'qcow2' | 'raw'
  /** Of the image, `sha256:…`. */
  readonly digest: string
}

/** A disk, for the start of a process. */
interface OpenDisk extends OpenFile {
  /**
   * What the process has to open in place of the descriptor, which leads nowhere. Null: the
   * descriptor is the disk's.
   */
  readonly opens: CellDisk | null
}

/** The root disk of one instance. Every call is safe to repeat, and may be interrupted anywhere. */
export interface RootDisk {
  /** Whether other hosts can have the same disk. Then none may be in a host's page cache. */
  readonly isShared: boolean
  /**
   * Makes it, as a whole or not at all; for an instance that has not run, as far as is known. A
   * shared one that is there stays as it is. Null: without a base. Errors: `unavailable`.
   */
  make(base: DiskBase | null, sizeBytes: number): Promise<void>
  /** Finds the one that is there. Errors: `refused` when there is none, `unavailable`. */
  find(): Promise<void>
  /** Opens the one that was found or made. Waits for no storage. Errors: of the file system. */
  open(): Promise<OpenDisk>
}
