export { createSpeech } from '../../../../model/markdown/speech.ts'
export { copySelection } from '../copy-selection.ts'
export { default as Markdown } from './Markdown.svelte'
