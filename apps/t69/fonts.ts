import type { Plugin } from 'vite'

/** Leaves KaTeX's fonts in the one format that all our browsers read, so that the build has 20 files of them and not 60. */
export function onlyWoff2(): Plugin {
  return {
    name: 't69-only-woff2',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('katex') || !/\.css(?:\?|$)/.test(id)) return
      return code.replaceAll(/,url\([^)]*\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)/g, '')
    },
  }
}
