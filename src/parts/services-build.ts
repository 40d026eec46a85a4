/** Names the code that a part of the daemon runs: an agent notices a part of another release. */
import packageJson from '../../package.json' with { type: 'json' }

/** Another release has another version or lies elsewhere. */
export function buildName(): string {
  return `${packageJson.version} ${process.argv[1]}`
}
