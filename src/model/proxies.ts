/**
 * Chooses the proxies for fetching images from the setting `images.proxy` and the environment.
 * Pure.
 */

/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY of an environment. */
export interface NamedProxies {
  readonly http: string | undefined
  readonly https: string | undefined
  readonly except: string | undefined
}

/** The URL of the proxy for each scheme. Null: none. */
export interface ChosenProxies {
  readonly http: string | null
  readonly https: string | null
}

/** `choice` is `environment`, `none` or the URL of a proxy for both schemes. */
export function chooseProxies(
  choice: string,
  named: Pick<NamedProxies, 'http' | 'https'>,
): ChosenProxies {
  switch (choice) {
    case 'none':
      return { http: null, https: null }
    case 'environment':
      return { http: proxyUrl(named.http ?? ''), https: proxyUrl(named.https ?? '') }
    default:
      return { http: choice, https: choice }
  }
}

/** Like curl(1), accepts proxies without a scheme. */
function proxyUrl(text: string): string | null {
  if (text === '') return null
  const url = text.includes('://') ? text : `http://${text}`
  return URL.canParse(url) ? url : null
}

/**
 * The proxies in the environment of a process. Lower-case names take precedence, as with curl(1).
 */
export function namedProxies(env: Readonly<Record<string, string | undefined>>): NamedProxies {
  const either = (name: string) => env[name.toLowerCase()] ?? env[name]
  return {
    http: either('HTTP_PROXY'),
    https: either('HTTPS_PROXY'),
    except: either('NO_PROXY'),
  }
}
