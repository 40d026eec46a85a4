/** The firmware of a virtual machine, in EC2's terms. Pure. */
import { parseImageLocation } from '../../model/image-location.ts'

/**
 * Undefined for containers, and for images that were made from an instance, whose location does not
 * say.
 */
export function bootMode(location: string): 'legacy-bios' | 'uefi' | undefined {
  const parsed = parseImageLocation(location)
  if (parsed?.kind !== 'disk' && parsed?.kind !== 'kernel') return undefined
  return parsed.options.firmware === 'uefi' ? 'uefi' : 'legacy-bios'
}
