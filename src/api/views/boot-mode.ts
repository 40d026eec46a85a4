/** With which firmware a virtual machine boots, in EC2's words. Pure. */
import { parseImageLocation } from '../../model/image-location.ts'

/**
 * Undefined of containers, which do not boot, and of images that were made of an instance, whose
 * location does not say.
 */
export function bootMode(location: string): 'legacy-bios' | 'uefi' | undefined {
  const parsed = parseImageLocation(location)
  if (parsed?.kind !== 'disk' && parsed?.kind !== 'kernel') return undefined
  return parsed.options.firmware === 'uefi' ? 'uefi' : 'legacy-bios'
}
