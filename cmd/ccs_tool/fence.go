package main

import "fangnetz/internal/conf"

// addFence adds a fencedevice (ccs_tool, "addfence, delfence").
func addFence(root conf.Element, q request) error {
	name, agent := q.words[0], q.words[1]
	devices, err := section(root, "fencedevices", q.config, "")
	if err != nil {
		return err
	}
	if _, ok := devices.Find("fencedevice", "name", name); ok {
		return refuse("fence type %s already exists", name)
	}
	args, err := pairs(q.words[2:])
	if err != nil {
		return err
	}
	devices.Add("fencedevice", append([]conf.Attr{{Key: "name", Value: name}, {Key: "agent", Value: agent}}, args...)...)
	return nil
}

// delFence removes a device, in use or not.
func delFence(root conf.Element, q request) error {
	devices, err := section(root, "fencedevices", q.config, "in ")
	if err != nil {
		return err
	}
	device, ok := devices.Find("fencedevice", "name", q.words[0])
	if !ok {
		return refuse("fence type %s does not exist", q.words[0])
	}
	device.Remove()
	return nil
}
