import mermaid from 'mermaid'

/** The longest text of a diagram, in UTF-16 code units. */
const longest = 10_000

let drawn = 0

/**
 * Draws a diagram with Mermaid, as an SVG file. It is shown as an image, in which nothing acts and nothing loads, whatever
 * Mermaid let through. Throws for what is no diagram, with a reason.
 */
export async function drawDiagram(text: string, isDark: boolean): Promise<Blob> {
  if (text.length > longest) throw new Error('The diagram is too long.')
  mermaid.initialize({
    startOnLoad: false,
    securityLevel: 'strict',
    theme: isDark ? 'dark' : 'default',
    // Text in SVG alone: an image shows no HTML in it reliably.
    htmlLabels: false,
    maxTextSize: longest,
    suppressErrorRendering: true,
    // What the text of a diagram must not change.
    secure: [
      'secure',
      'securityLevel',
      'startOnLoad',
      'maxTextSize',
      'maxEdges',
      'suppressErrorRendering',
      'htmlLabels',
      'themeCSS',
      'themeVariables',
      'fontFamily',
      'altFontFamily',
    ],
  })
  const { svg } = await mermaid.render(`diagram-${++drawn}`, text)
  // An inert document: nothing in it runs or loads either.
  const picture = new DOMParser().parseFromString(svg, 'text/html').querySelector('svg')
  if (picture === null) throw new Error('It has no picture.')
  const { width, height } = picture.viewBox.baseVal
  picture.setAttribute('width', String(width))
  picture.setAttribute('height', String(height))
  return new Blob([new XMLSerializer().serializeToString(picture)], { type: 'image/svg+xml' })
}
