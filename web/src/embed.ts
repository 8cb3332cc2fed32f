import './panels/theme.css';
import Embed from './panels/Embed.svelte';
import { start } from './panels/start.ts';

void start(Embed);
