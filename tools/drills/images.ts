/** Images of containers that all hosts of a lab have. */
import type { Lab } from '../lab/lab.ts'

const IMAGE_MS = 60_000
/** The hosts share this directory, which is the lab's and goes with it. */
const SHARED_FILE = '/var/cache/atoll-shared-image.tar'

/**
 * All hosts get the first host's image of this name. If each host built its own, their digests
 * would differ (Docker writes the time into images), and Atoll launches from one digest only.
 */
export async function shareImage(lab: Lab, name: string): Promise<void> {
  const [first, ...others] = lab.hosts
  if (first === undefined) return
  const inspect = ['docker', 'image', 'inspect', '--format', '{{.Id}}', name]
  const id = await first.must(inspect)
  for (const host of others) {
    const { stdout } = await host.exec(inspect)
    if (stdout === id) continue
    await first.must(['docker', 'save', '--output', SHARED_FILE, name], { timeoutMs: IMAGE_MS })
    await host.must(['docker', 'load', '--input', SHARED_FILE], { timeoutMs: IMAGE_MS })
    await host.must(['rm', SHARED_FILE])
  }
}
