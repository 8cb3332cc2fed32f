import { mount } from 'svelte';
import './panels/theme.css';
import Embed from './panels/Embed.svelte';

mount(Embed, { target: document.body });
