import './panels/theme.css';
import App from './panels/App.svelte';
import { start } from './panels/start.ts';

void start(App);
