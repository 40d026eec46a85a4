/**
 * Which proxy images are fetched through: the setting `images.proxy`, and what the environment
 * says. Pure.
 */

/** As in the environment: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, by what they are for. */
export interface NamedProxies {
  readonly http: string | undefined
  readonly https: string | undefined
  readonly except: string | undefined
}

/** The proxy for each scheme, as a URL; null: none. */
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

/** The environment's proxies may be written without a scheme, as curl(1) takes them. */
function proxyUrl(text: string): string | null {
  if (text === '') return null
  const url = text.includes('://') ? text : `http://${text}`
  return URL.canParse(url) ? url : null
}

/**
 * The proxies in the environment of a process; in lower case they count for more, as with curl(1).
 */
export function namedProxies(env: Readonly<Record<string, string | undefined>>): NamedProxies {
  const either = (name: string) => env[name.toLowerCase()] ?? env[name]
  return {
    http: either('HTTP_PROXY'),
    https: either('HTTPS_PROXY'),
    except: either('NO_PROXY'),
  }
}
