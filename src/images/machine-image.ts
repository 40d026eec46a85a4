/**
 * The port to the images of virtual machines: what the QEMU driver is given, and by whom it is
 * kept.
 */
import type { MachineOptions } from '../model/image-location.ts'
import { GIB } from '../model/sizes.ts'
import type { ImageFindings } from '../plan/workloads.ts'
import type { Images } from '../workloads/driver.ts'

/**
 * An image that is at hand, complete and verified. Its files are read-only and shared by every
 * instance that is made from it.
 */
export type MachineImage = MachineDisk | MachineKernel

/** A disk under copy-on-write overlays. */
export interface BaseDisk {
  readonly path: string
  readonly format: 'qcow2' | 'raw'
  /** Size of the disk that the guest sees. */
  readonly virtualBytes: number
}

/** A disk, the base of each instance's own copy-on-write overlay. */
interface MachineDisk extends BaseDisk {
  readonly kind: 'disk'
  /** `sha256:…` of the file as it was fetched. */
  readonly digest: string
  readonly architecture: string
  readonly options: MachineOptions
}

/** A kernel with its initramfs. */
interface MachineKernel {
  readonly kind: 'kernel'
  /** `sha256:…` of both files, one after the other. */
  readonly digest: string
  readonly architecture: string
  readonly options: MachineOptions
  readonly kernelPath: string
  readonly initrdPath: string
  /**
   * The base of each instance's disk, in an image that was made of an instance; null: instances get
   * an empty disk.
   */
  readonly disk: BaseDisk | null
}

/** What an instance's own disk is an overlay of; null: it begins empty. */
export function baseOf(image: MachineImage): BaseDisk | null {
  return image.kind === 'disk' ? image : image.disk
}

/** What is told of the image. */
export function findingsOf(image: MachineImage): ImageFindings {
  const { digest, architecture } = image
  const base = baseOf(image)
  const diskGiB = base && Math.ceil(base.virtualBytes / GIB)
  return { digest, architecture, diskGiB }
}

export interface MachineImages extends Images {
  /**
   * An image that was `ready`. `location` is where its options are read from. Errors: `unavailable`
   * when it is no longer known or no longer in the cache; it is looked at anew.
   */
  details(digest: string, location: string): Promise<MachineImage>
}
