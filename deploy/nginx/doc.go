// Package nginx holds the configuration of nginx that livemap ships, and makes
// copies of it for other addresses: tests run the very files that users get.
// Start at nginx.conf; [Write] makes the copy. Nothing of it is in the program.
package nginx
