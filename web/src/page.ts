import { mount } from 'svelte';
import './panels/theme.css';
import App from './panels/App.svelte';

mount(App, { target: document.body });
