import type { Plugin } from 'vite'
import { z } from 'zod'

/** An icon of Lucide: a component that hands what it draws to another one, which makes the elements as it runs. */
const icon = /\/@lucide\/svelte\/dist\/icons\/[\w-]+\.svelte$/
const drawing = /const iconData = (\{.*\});/
const drawingSchema = z.object({
  name: z.string(),
  node: z.array(z.tuple([z.string(), z.record(z.string(), z.string())])),
})

/**
 * Makes of each icon the SVG that it is, which takes `size` and `fill`, is drawn as app.css says, and is decoration: less to load, and much less to do
 * for each icon on the screen. All of ours are beside or inside of what has a name.
 */
export function plainIcons(): Plugin {
  return {
    name: 't69-plain-icons',
    enforce: 'pre',
    transform: {
      filter: { id: icon },
      handler(code) {
        const written = drawing.exec(code)?.[1]
        if (written === undefined) this.error('Lucide writes its icons in another way now')
        const { name, node } = drawingSchema.parse(JSON.parse(written))
        const elements = node.map(([tag, attributes]) => `<${tag} ${attributesText(attributes)} />`)
        return {
          code: `<script lang="ts">
const { size, fill }: { size: number; fill?: string } = $props()
</script>
<svg class="lucide lucide-${name}" viewBox="0 0 24 24" width={size} height={size} {fill} aria-hidden="true">${elements.join('')}</svg>`,
          map: null,
        }
      },
    },
  }
}

function attributesText(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ')
}
